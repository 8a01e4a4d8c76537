"""A node that says something false is found out and named, and another one answers in its place."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import rlp

from anchors import Evidence, Grade, HandoffPolicy, Included, Pending, SignedTransaction, TrustProfile
from anchors.contract import encode_anchor, origin_id
from anchors.deploy import Network
from anchors.devchain.chain import DevChain
from anchors.equivocation import EquivocationError, SealedMemory, ShownBlock
from anchors.evm import EvmChain
from anchors.health import EndpointHealth, Standing
from anchors.node import Endpoint
from anchors.transaction import sign_transaction
from signing import RefusedError, UnavailableError, VerificationError, sha256
from tests.support.anchor_world import deploy
from tests.support.devchain_world import ANCHORER, START, account_of, address_of, open_chain, result
from tests.support.ledger_logs import ORIGIN

ROOT = sha256(b"root at 5")
Lie = Callable[[list[Any], Any], Any]


@dataclass
class World:
    """A chain on which one tree is anchored, and the transaction that did it."""

    dev: DevChain
    profile: TrustProfile
    sent: SignedTransaction
    latest: int

    def node(self, name: str, **lies: Lie) -> Endpoint:
        """A node that passes results of the named methods through a lie each."""

        def call(method: str, params: list[Any]) -> Any:
            response = dict(self.dev.dispatch(method, params))
            if method in lies:
                return {"result": lies[method](params, response.get("result"))}
            return response

        return Endpoint(name, call)

    def chain(self, *endpoints: Endpoint, profile: TrustProfile | None = None) -> EvmChain:
        return EvmChain(endpoints, profile or self.profile)


def anchoring(old: int, size: int, root: bytes = ROOT) -> bytes:
    return encode_anchor(
        origin=origin_id(ORIGIN), old_size=old, new_size=size, new_root=root, note_hash=bytes(32), proof=()
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_chain(tmp_path_factory.mktemp("chain") / Path("chain.db")) as dev:
        profile = deploy(dev, Network(dev.dispatch, dev.chain_id))
        chain = EvmChain([Endpoint("setup", dev.dispatch)], profile)
        quote = chain.quote(address_of(ANCHORER), anchoring(0, 5))
        sent = sign_transaction(
            account_of(ANCHORER),
            chain_id=dev.chain_id,
            nonce=quote.nonce,
            to=profile.contracts[0].address,
            calldata=anchoring(0, 5),
            gas_limit=quote.gas_limit,
            gas_price=0,
        )
        chain.submit(sent)
        yield World(dev, profile, sent, int(result(dev, "eth_blockNumber"), 16))


def _other_header(world: World) -> dict[str, Lie]:
    return {"debug_getRawHeader": lambda *_: result(world.dev, "debug_getRawHeader", "0x1")}


def _unsealed_header(world: World) -> dict[str, Lie]:
    """Another state, its header sealed by nobody."""

    def forge(_: list[Any], raw: str) -> str:
        items = rlp.decode(bytes.fromhex(raw[2:]))
        items[3] = b"\x11" * 32
        return "0x" + rlp.encode(items).hex()

    return {"debug_getRawHeader": forge}


def _hash_that_is_not_the_headers(_: World) -> dict[str, Lie]:
    def forge(params: list[Any], block: Any) -> Any:
        return block if params[0] == "0x0" else block | {"hash": "0x" + "ab" * 32}

    return {"eth_getBlockByNumber": forge}


def _flipped(node: str) -> str:
    return node[:-1] + ("0" if node[-1] != "0" else "1")


def _account_proof(_: World) -> dict[str, Lie]:
    def forge(_: list[Any], proof: Any) -> Any:
        return proof | {"accountProof": [*proof["accountProof"][:-1], _flipped(proof["accountProof"][-1])]}

    return {"eth_getProof": forge}


def _storage_proof(_: World) -> dict[str, Lie]:
    def forge(_: list[Any], proof: Any) -> Any:
        entries = [
            entry | {"proof": [*entry["proof"][:-1], _flipped(entry["proof"][-1])]} for entry in proof["storageProof"]
        ]
        return proof | {"storageProof": entries}

    return {"eth_getProof": forge}


def _proof_of_an_older_state(world: World) -> dict[str, Lie]:
    return {"eth_getProof": lambda params, _: result(world.dev, "eth_getProof", params[0], params[1], "0x1")}


def _chain_id(_: World) -> dict[str, Lie]:
    return {"eth_chainId": lambda *_: "0x1"}


def _genesis(_: World) -> dict[str, Lie]:
    def forge(params: list[Any], block: Any) -> Any:
        return block | {"hash": "0x" + "cd" * 32} if params[0] == "0x0" else block

    return {"eth_getBlockByNumber": forge}


LIES = [
    (_other_header, "chain.bad-answer"),
    (_unsealed_header, "chain.bad-evidence"),
    (_hash_that_is_not_the_headers, "chain.bad-answer"),
    (_account_proof, "chain.bad-evidence"),
    (_storage_proof, "chain.bad-evidence"),
    (_proof_of_an_older_state, "chain.bad-evidence"),
    (_chain_id, "chain.wrong-network"),
    (_genesis, "chain.wrong-network"),
]


def of(health: tuple[EndpointHealth, ...]) -> dict[str, tuple[Standing, str | None]]:
    return {each.name: (each.standing, each.code) for each in health}


@pytest.mark.parametrize(("lie", "code"), LIES)
def test_false_evidence_is_found_out_and_named(world: World, lie: Callable[[World], dict[str, Lie]], code: str) -> None:
    liar = world.node("liar:8545", **lie(world))
    for use in (lambda chain: chain.head(ORIGIN), lambda chain: chain.evidence(ORIGIN, 5)):
        with pytest.raises(UnavailableError, match="liar:8545") as caught:
            use(world.chain(liar))
        assert caught.value.code == code
        chain = world.chain(liar, world.node("honest"))
        found = use(chain)
        assert found.root == ROOT
        if isinstance(found, Evidence):
            assert of(chain.health(START)) == {
                "liar:8545": (Standing.WRONG, code),
                "honest": (Standing.OK, None),
            }


def test_one_capture_is_of_one_node(world: World) -> None:
    """Headers of one node and proofs of another never make one piece of evidence."""
    asked: dict[str, set[str]] = {}

    def watched(name: str, **lies: Lie) -> Endpoint:
        endpoint = world.node(name, **lies)

        def call(method: str, params: Any) -> Any:
            asked.setdefault(name, set()).add(method)
            return endpoint.rpc(method, params)

        return Endpoint(name, call)

    chain = world.chain(watched("first", **_storage_proof(world)), watched("second"))
    chain.evidence(ORIGIN, 5)
    assert {"debug_getRawHeader", "eth_getProof"} <= asked["first"] & asked["second"]


def test_a_stale_head_does_not_mislead_and_is_named(world: World) -> None:
    for _ in range(12):
        world.dev.mine()
    stale = world.node("stale", eth_blockNumber=lambda *_: hex(1))
    chain = world.chain(stale, world.node("honest"))
    assert chain.head(ORIGIN).root == ROOT
    health = {each.name: each for each in chain.health(START)}
    assert (health["stale"].code, health["honest"].code) == ("chain.stale-head", None)
    assert health["stale"].lag == health["honest"].head_number - 1


def test_an_old_head_of_the_only_node_is_not_the_newest(world: World) -> None:
    head = world.chain(world.node("only")).head(ORIGIN).as_of_block
    time = int(result(world.dev, "eth_getBlockByNumber", hex(head), False)["timestamp"], 16)
    for age, stale in ((60, False), (61, True)):
        chain = EvmChain([world.node("only")], world.profile, clock=lambda age=age: time + age, max_head_age=60)
        if stale:
            with pytest.raises(UnavailableError, match="only") as caught:
                chain.head(ORIGIN)
            assert caught.value.code == "chain.stale-head"
        else:
            assert chain.head(ORIGIN).as_of_block == head


def test_an_absence_by_an_old_state_is_no_absence(world: World) -> None:
    stale = world.node("stale", eth_blockNumber=lambda *_: hex(world.latest - 1))
    chain = world.chain(stale, world.node("honest"))
    assert chain.evidence(ORIGIN, 5).root == ROOT
    with pytest.raises(VerificationError) as caught:
        chain.evidence(ORIGIN, 6)
    assert caught.value.code == "anchor.absent"


def test_an_invented_nonce_is_found_out(world: World) -> None:
    for nonce in ("0x0", "0x9"):
        liar = world.node("liar", eth_getTransactionCount=lambda *_, nonce=nonce: nonce)
        with pytest.raises(UnavailableError, match="liar") as caught:
            world.chain(liar).quote(address_of(ANCHORER), anchoring(5, 5))
        assert caught.value.code == "chain.nonce"
        quote = world.chain(liar, world.node("honest")).quote(address_of(ANCHORER), anchoring(5, 5))
        assert quote.nonce == world.sent.nonce + 1


def test_an_account_that_never_sent_has_nonce_zero(world: World) -> None:
    with pytest.raises(RefusedError) as caught:  # its nonce is proved before the contract refuses it
        world.chain(world.node("honest")).quote(b"\x77" * 20, anchoring(5, 5))
    assert caught.value.code == "contract.not-anchorer"


def _receipt(**changes: Any) -> Lie:
    return lambda _, receipt: receipt and receipt | changes


@pytest.mark.parametrize(
    "changes",
    [
        {"transactionHash": "0x" + "01" * 32},
        {"blockHash": "0x" + "02" * 32},
        {"blockNumber": "0x1"},
    ],
)
def test_a_receipt_of_something_else_is_found_out(world: World, changes: dict[str, Any]) -> None:
    liar = world.node("liar", eth_getTransactionReceipt=_receipt(**changes))
    with pytest.raises(UnavailableError, match="liar") as caught:
        world.chain(liar).outcome(world.sent)
    assert caught.value.code == "chain.receipt"
    assert isinstance(world.chain(liar, world.node("honest")).outcome(world.sent), Included)


def test_an_invented_receipt_and_an_invented_displacement_are_found_out(world: World) -> None:
    unsent = sign_transaction(
        account_of(ANCHORER),
        chain_id=world.dev.chain_id,
        nonce=world.sent.nonce + 1,
        to=None,
        calldata=b"",
        gas_limit=60_000,
        gas_price=0,
    )
    head = result(world.dev, "eth_getBlockByNumber", hex(world.latest), False)
    receipt = {
        "transactionHash": "0x" + unsent.tx_hash.hex(),
        "blockHash": head["hash"],
        "blockNumber": head["number"],
        "status": "0x1",
        "gasUsed": "0x5208",
    }
    for lies, code in (
        ({"eth_getTransactionReceipt": lambda *_: receipt}, "chain.receipt"),
        ({"eth_getTransactionCount": lambda *_: "0x99"}, "chain.nonce"),
    ):
        liar = world.node("liar", **lies)
        with pytest.raises(UnavailableError, match="liar") as caught:
            world.chain(liar).outcome(unsent)
        assert caught.value.code == code
        assert world.chain(liar, world.node("honest")).outcome(unsent) == Pending()


def test_a_refusal_of_one_node_alone_is_not_the_contracts(world: World) -> None:
    def stale(method: str, params: list[Any]) -> Any:
        if method == "eth_call":
            return {"error": {"code": 3, "message": "reverted", "data": "0x097612db" + "00" * 31 + "01"}}
        return world.dev.dispatch(method, params)

    alone = Endpoint("alone", stale)
    with pytest.raises(RefusedError, match="StaleHead"):
        world.chain(alone).quote(address_of(ANCHORER), anchoring(5, 5))
    chain = world.chain(alone, world.node("honest"))
    assert chain.quote(address_of(ANCHORER), anchoring(5, 5)).nonce == world.sent.nonce + 1
    assert of(chain.health(START))["alone"] == (Standing.RESTING, "chain.disagreement")


def test_an_invented_conflict_does_not_stop_the_origin(world: World) -> None:
    def conflict(method: str, params: list[Any]) -> Any:
        if method == "eth_call":
            data = "0xbd2bd143" + (5).to_bytes(32).hex() + "ee" * 32
            return {"error": {"code": 3, "message": "reverted", "data": data}}
        return world.dev.dispatch(method, params)

    with pytest.raises(UnavailableError, match="liar") as caught:
        world.chain(Endpoint("liar", conflict)).quote(address_of(ANCHORER), anchoring(0, 5))
    assert caught.value.code == "chain.bad-evidence"
    with pytest.raises(RefusedError) as true:
        world.chain(world.node("honest")).quote(address_of(ANCHORER), anchoring(0, 5, sha256(b"?")))
    assert true.value.code == "contract.conflict"


def test_two_sealed_blocks_at_one_height_are_an_alarm(tmp_path: Path) -> None:
    """The validators seal another block at a height: nobody fails over, both headers are kept."""
    with open_chain(tmp_path / "chain.db") as dev:
        profile = replace(deploy(dev, Network(dev.dispatch, dev.chain_id)), max_grade=Grade.FINAL_BFT)
        nodes = [Endpoint(name, dev.dispatch) for name in ("one", "two")]
        chain = EvmChain(nodes, profile)
        before = chain.head(ORIGIN).as_of_block
        first = bytes.fromhex(result(dev, "debug_getRawHeader", hex(before))[2:])
        dev.reorg(1)
        second = bytes.fromhex(result(dev, "debug_getRawHeader", hex(before))[2:])
        for use in (
            lambda: chain.head(ORIGIN),
            lambda: chain.evidence(ORIGIN, 5),
            lambda: chain.quote(address_of(ANCHORER), anchoring(0, 5)),
            lambda: chain.check(START),
        ):
            with pytest.raises(EquivocationError) as caught:
                use()
            alarm = caught.value
            assert (alarm.code, alarm.number, alarm.first.header, alarm.second.header) == (
                "chain.equivocation",
                before,
                first,
                second,
            )
        development = replace(profile, max_grade=Grade.UNSEALED_DEV)
        quiet = EvmChain(nodes, development)
        quiet.head(ORIGIN)
        dev.reorg(1)
        assert quiet.head(ORIGIN).as_of_block == before


def test_other_seals_of_the_same_block_are_no_alarm() -> None:
    memory = SealedMemory()
    memory.note(7, b"hash", ShownBlock(b"seals of a, b, c", (), "one"))
    memory.note(7, b"hash", ShownBlock(b"seals of b, c, d", (), "two"))
    for number in range(8, 3000):
        memory.note(number, b"hash", ShownBlock(b"", (), "one"))
    memory.note(7, b"other", ShownBlock(b"", (), "two"))  # long forgotten
    with pytest.raises(EquivocationError) as caught:
        memory.note(2999, b"other", ShownBlock(b"raw", (b"step",), "two"))
    assert (caught.value.first.node, caught.value.second) == ("one", ShownBlock(b"raw", (b"step",), "two"))


def test_a_changed_validator_set_is_followed(tmp_path: Path) -> None:
    """The hand-over headers are found, checked, kept, and part of the evidence."""
    with open_chain(tmp_path / "chain.db") as dev:
        profile = replace(
            deploy(dev, Network(dev.dispatch, dev.chain_id)),
            handoff=HandoffPolicy(allowed=True, max_steps=3, min_set=4),
        )
        chain = EvmChain([Endpoint("node", dev.dispatch)], profile)
        steps = []
        for number in range(3):
            for _ in range(5 * number):
                dev.mine()
            dev.set_validators([*dev.validators(), dev.new_validator()])
            steps.append(dev.mine())
            assert chain.head(ORIGIN).as_of_block == steps[-1]  # the first block of the new set
        quote = chain.quote(address_of(ANCHORER), anchoring(0, 5))
        sent = sign_transaction(
            account_of(ANCHORER),
            chain_id=dev.chain_id,
            nonce=quote.nonce,
            to=profile.contracts[0].address,
            calldata=anchoring(0, 5),
            gas_limit=quote.gas_limit,
            gas_price=0,
        )
        chain.submit(sent)
        included = chain.outcome(sent)
        assert isinstance(included, Included)
        for fresh in (chain, EvmChain([Endpoint("node", dev.dispatch)], profile)):
            evidence = fresh.evidence(ORIGIN, 5, block_number=included.block_number)
            raw = [bytes.fromhex(result(dev, "debug_getRawHeader", hex(step))[2:]) for step in steps]
            assert list(evidence.handoff) == raw
        dev.set_validators([*dev.validators(), dev.new_validator()])
        dev.mine()
        with pytest.raises(UnavailableError) as caught:
            chain.head(ORIGIN)
        assert caught.value.code == "chain.handoff"


def test_two_nodes_behind_one_address_keep_apart(world: World) -> None:
    chain = world.chain(world.node("gateway:80", **_chain_id(world)), world.node("gateway:80"))
    assert chain.head(ORIGIN).root == ROOT
    assert of(chain.health(START)) == {
        "gateway:80#1": (Standing.WRONG, "chain.wrong-network"),
        "gateway:80#2": (Standing.OK, None),
    }
