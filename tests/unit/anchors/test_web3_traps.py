"""The traps of EVM client libraries and of nodes (one test for each), as our own client meets them.

Where web3's convenience layer would fall into a trap, the test shows what it does and what ours does instead.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import rlp
from web3 import Web3
from web3.exceptions import Web3Exception
from web3.providers import BaseProvider

from anchors import Included, Pending, SignedTransaction, TrustProfile
from anchors.contract import RevertName, decode_revert, encode_anchor, origin_id
from anchors.deploy import Network
from anchors.devchain.chain import DevChain
from anchors.evm import EvmChain
from anchors.node import Endpoint
from anchors.transaction import sign_transaction
from signing import RefusedError, UnavailableError, sha256
from tests.support.anchor_world import deploy
from tests.support.devchain_world import ANCHORER, account_of, address_of, open_chain, result
from tests.support.ledger_logs import ORIGIN

ROOT = sha256(b"root at 5")


def anchoring(old: int = 0, size: int = 5, root: bytes = ROOT) -> bytes:
    return encode_anchor(
        origin=origin_id(ORIGIN), old_size=old, new_size=size, new_root=root, note_hash=bytes(32), proof=()
    )


@dataclass
class World:
    """A chain with the contract, every call of ours written down."""

    dev: DevChain
    profile: TrustProfile
    calls: list[tuple[str, list[Any]]]

    def rpc(self, method: str, params: Sequence[Any]) -> Any:
        self.calls.append((method, list(params)))
        return self.dev.dispatch(method, list(params))

    @property
    def chain(self) -> EvmChain:
        return EvmChain([Endpoint("node", self.rpc)], self.profile)

    def signed(self, **changes: int) -> SignedTransaction:
        quote = self.chain.quote(address_of(ANCHORER), anchoring())
        return sign_transaction(
            account_of(ANCHORER),
            chain_id=self.dev.chain_id,
            nonce=changes.get("nonce", quote.nonce),
            to=self.profile.contracts[0].address,
            calldata=anchoring(),
            gas_limit=changes.get("gas_limit", quote.gas_limit),
            gas_price=changes.get("gas_price", 0),
        )


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with open_chain(tmp_path / "chain.db") as dev:
        yield World(dev, deploy(dev, Network(dev.dispatch, dev.chain_id)), [])


class InProcess(BaseProvider):
    """web3 itself on the same chain, to show what it does."""

    def __init__(self, dev: DevChain) -> None:
        super().__init__()
        self._dev = dev

    def make_request(self, method: Any, params: Any) -> Any:
        return self._dev.dispatch(method, list(params))


def test_fees_are_legacy_with_the_price_given(world: World) -> None:
    """web3 fills EIP-1559 fees in by itself and stumbles on a chain without base fee."""
    sender = "0x" + address_of(ANCHORER).hex()
    transaction = {"from": Web3.to_checksum_address(sender), "to": Web3.to_checksum_address(sender)}
    with pytest.raises((KeyError, Web3Exception)):
        Web3(InProcess(world.dev)).eth.send_transaction(transaction)
    sent = world.signed(gas_price=0)
    fields = rlp.decode(sent.raw)  # a list, not a typed envelope
    assert (len(fields), fields[1]) == (9, b"")
    assert rlp.decode(world.signed(gas_price=10**9).raw)[1] == (10**9).to_bytes(4)


def test_the_chain_id_is_in_the_signature(world: World) -> None:
    v = int.from_bytes(rlp.decode(world.signed().raw)[6])
    assert (v - 35) // 2 == world.dev.chain_id


def test_a_transaction_for_another_chain_is_refused_by_this_one(world: World) -> None:
    sent = sign_transaction(
        account_of(ANCHORER),
        chain_id=world.dev.chain_id + 1,
        nonce=0,
        to=world.profile.contracts[0].address,
        calldata=anchoring(),
        gas_limit=300_000,
        gas_price=0,
    )
    with pytest.raises(RefusedError, match="Wrong chainId") as caught:
        world.chain.submit(sent)
    assert caught.value.code == "chain.refused"


def test_only_latest_is_read_and_the_block_number_is_fixed_first(world: World) -> None:
    sent = world.signed()
    world.chain.submit(sent)
    assert isinstance(world.chain.outcome(sent), Included)
    world.calls.clear()
    number = world.chain.evidence(ORIGIN, 5).block_number
    tags = [params[-1] for method, params in world.calls if method in ("eth_getProof", "debug_getRawHeader")]
    assert tags == [hex(number)] * 2
    world.calls.clear()
    world.chain.quote(address_of(ANCHORER), anchoring())
    world.chain.outcome(sent)
    given = [param for _, params in world.calls for param in params]
    assert "pending" not in given
    assert "finalized" not in given
    assert "safe" not in given


def test_two_calls_that_see_two_heads_are_found_out(world: World) -> None:
    """Header of one block and proof of the next never become one piece of evidence."""
    world.chain.submit(world.signed())

    def moving(method: str, params: Sequence[Any]) -> Any:
        if method == "eth_getProof":
            return world.dev.dispatch(method, [params[0], params[1], "0x1"])
        return world.dev.dispatch(method, list(params))

    with pytest.raises(UnavailableError, match="moving") as caught:
        EvmChain([Endpoint("moving", moving)], world.profile).head(ORIGIN)
    assert caught.value.code == "chain.bad-evidence"


def test_long_extra_data_is_read(world: World) -> None:
    """web3 refuses extraData of more than 32 bytes, which every sealed block has."""
    with pytest.raises(Web3Exception):
        Web3(InProcess(world.dev)).eth.get_block(1)
    assert world.chain.head(ORIGIN).as_of_block > 0


def test_storage_keys_are_32_bytes_and_lower_case(world: World) -> None:
    world.chain.submit(world.signed())
    world.calls.clear()
    world.chain.evidence(ORIGIN, 5)
    keys = [key for method, params in world.calls if method == "eth_getProof" for key in params[1]]
    assert [len(key) for key in keys] == [66] * 3
    assert all(key == key.lower() for key in keys)


def test_what_nodes_write_as_key_and_value_is_not_read(world: World) -> None:
    """Besu, geth and Nethermind differ in them; the proof's nodes say it all."""
    world.chain.submit(world.signed())

    def sloppy(method: str, params: Sequence[Any]) -> Any:
        response = dict(world.dev.dispatch(method, list(params)))
        if method == "eth_getProof":
            entries = [
                {"key": "0x0", "value": "?", "proof": entry["proof"]} for entry in response["result"]["storageProof"]
            ]
            response["result"] = response["result"] | {"storageProof": entries, "codeHash": None, "nonce": "0x"}
        return response

    assert EvmChain([Endpoint("sloppy", sloppy)], world.profile).evidence(ORIGIN, 5).root == ROOT


def test_no_call_is_repeated_inside(world: World) -> None:
    attempts: list[str] = []

    def away(method: str, _: Sequence[Any]) -> Any:
        attempts.append(method)
        raise UnavailableError("chain.unreachable", "ConnectionRefusedError")

    with pytest.raises(UnavailableError, match="away: "):
        EvmChain([Endpoint("away", away)], world.profile).submit(world.signed())
    assert attempts == ["eth_chainId"]


TAKEN_TEXTS = [
    (-32000, "Known transaction"),  # Besu
    (-32000, "already known"),  # geth
    (-32003, "transaction already imported"),  # anvil
    (-32001, "Nonce too low"),  # Besu
    (-32000, "nonce too low: next nonce 1, tx nonce 0"),  # geth
    (-32003, "nonce too low"),  # anvil
    (-32000, "replacement transaction underpriced"),
    (-32603, "Internal error"),
]


@pytest.mark.parametrize(("code", "message"), TAKEN_TEXTS)
@pytest.mark.parametrize("taken", [True, False])
def test_error_texts_of_sending_decide_nothing(world: World, code: int, message: str, taken: bool) -> None:
    """Whether the node holds the transaction decides; the same text may stand for both."""

    def talkative(method: str, params: Sequence[Any]) -> Any:
        if method == "eth_sendRawTransaction":
            if taken:
                world.dev.dispatch(method, list(params))
            return {"error": {"code": code, "message": message}}
        return world.dev.dispatch(method, list(params))

    chain, sent = EvmChain([Endpoint("talkative", talkative)], world.profile), world.signed()
    if taken:
        assert chain.submit(sent) == ("talkative",)
        assert isinstance(chain.outcome(sent), Included)
    else:
        with pytest.raises(RefusedError) as caught:
            chain.submit(sent)
        assert caught.value.code == "chain.refused"
        assert chain.outcome(sent) == Pending()


def test_at_price_zero_nothing_is_replaced_and_the_same_bytes_do(world: World) -> None:
    """A second transaction at the same nonce and price is refused; sending the first one again is harmless."""
    first, second = world.signed(), world.signed(gas_limit=399_999)
    world.dev.hold_mining()
    world.chain.submit(first)
    with pytest.raises(RefusedError, match="underpriced"):
        world.chain.submit(second)
    assert world.chain.submit(first) == ("node",)
    world.dev.release_mining()
    assert isinstance(world.chain.outcome(first), Included)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda data: {"code": 3, "message": "execution reverted", "data": data},
        lambda data: {"code": -32000, "message": "Execution reverted", "data": data},
        lambda data: {"code": -32015, "message": "VM execution error.", "data": f"Reverted {data}"},
        lambda data: {"code": 3, "message": "reverted", "data": {"data": data, "txHash": "0x"}},
    ],
    ids=["geth", "besu", "words before", "an object around"],
)
def test_custom_errors_are_told_by_selector(world: World, wrap: Callable[[str], Any]) -> None:
    stale = "0x097612db" + (5).to_bytes(32).hex()

    def reverting(method: str, params: Sequence[Any]) -> Any:
        if method == "eth_call":
            return {"error": wrap(stale)}
        return world.dev.dispatch(method, list(params))

    with pytest.raises(RefusedError) as caught:
        EvmChain([Endpoint("node", reverting)], world.profile).quote(address_of(ANCHORER), anchoring())
    assert caught.value.code == "contract.stale-head"
    assert decode_revert(bytes.fromhex(stale[2:])).name is RevertName.STALE_HEAD


def test_an_error_without_data_is_no_revert(world: World) -> None:
    def failing(method: str, params: Sequence[Any]) -> Any:
        if method == "eth_estimateGas":
            return {"error": {"code": -32603, "message": "execution reverted"}}
        return world.dev.dispatch(method, list(params))

    with pytest.raises(UnavailableError) as caught:
        EvmChain([Endpoint("node", failing)], world.profile).quote(address_of(ANCHORER), anchoring())
    assert caught.value.code == "chain.node-error"


def test_zero_is_never_an_answer_that_was_not_given(world: World) -> None:
    """No exception and no null becomes 0, None or "empty"."""
    for method in ("eth_getTransactionCount", "eth_estimateGas", "eth_call", "eth_getProof", "eth_blockNumber"):
        for answer in ({"result": None}, {"result": ""}, {"result": 0}, {"error": {"code": 1, "message": "x"}}):

            def broken(asked: str, params: Sequence[Any], method: str = method, answer: Any = answer) -> Any:
                return answer if asked == method else world.dev.dispatch(asked, list(params))

            chain = EvmChain([Endpoint("broken", broken)], world.profile)
            with pytest.raises(UnavailableError, match="broken"):
                chain.quote(address_of(ANCHORER), anchoring())


def _mutations(node: str) -> Iterator[str]:
    data = bytes.fromhex(node[2:])
    yield from ("0x", "0xc0", "0x80", "0x" + "c0" * 200, "0x" + "f8" * 64, node[:-2], node + "00")
    for position in range(0, len(data), 7):
        yield "0x" + (data[:position] + bytes([data[position] ^ 0xFF]) + data[position + 1 :]).hex()


def test_whatever_stands_in_trie_nodes_is_unavailable_never_another_exception(world: World) -> None:
    world.chain.submit(world.signed())
    proof = result(world.dev, "eth_getProof", "0x" + world.profile.contracts[0].address.hex(), [], "latest")
    for mutated in _mutations(proof["accountProof"][0]):

        def hostile(method: str, params: Sequence[Any], mutated: str = mutated) -> Any:
            response = dict(world.dev.dispatch(method, list(params)))
            if method == "eth_getProof":
                nodes = [mutated, *response["result"]["accountProof"][1:]]
                response["result"] = response["result"] | {"accountProof": nodes}
            return response

        with pytest.raises(UnavailableError):
            EvmChain([Endpoint("hostile", hostile)], world.profile).head(ORIGIN)
