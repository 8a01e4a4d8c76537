"""The ``Chain`` port on FISCO BCOS's web3 RPC: what its strict shim allows, over real HTTP."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from anchors import (
    Answers,
    Consensus,
    Displaced,
    Grade,
    Included,
    Pending,
    SignedTransaction,
    TrustProfile,
)
from anchors.contract import encode_anchor, origin_id
from anchors.deploy import Network
from anchors.devchain.chain import DevChain
from anchors.evm import connect_chain, http_endpoint
from anchors.fisco import FiscoChain
from anchors.health import Standing
from anchors.node_events import read_anchored
from anchors.profile import AnswersPolicy
from anchors.transaction import sign_transaction
from signing import MalformedError, RefusedError, UnavailableError, VerificationError, sha256
from tests.support.anchor_world import deploy
from tests.support.devchain_world import ANCHORER, START, STRANGER, account_of, address_of, open_chain
from tests.support.fisco_shim import METHODS, ZEROS, FiscoNode, fisco_group, serve
from tests.support.ledger_logs import ORIGIN

ROOTS = {size: sha256(b"root at %d" % size) for size in range(1, 40)}


@dataclass
class Group:
    """Three nodes of one chain, the contract on it, and our client of them."""

    dev: DevChain
    nodes: list[FiscoNode]
    profile: TrustProfile
    chain: FiscoChain

    @property
    def names(self) -> list[str]:
        return [node.url.removeprefix("http://") for node in self.nodes]

    def signed(self, *, old: int = 0, size: int = 5, **changes: int) -> SignedTransaction:
        calldata = encode_anchor(
            origin=origin_id(ORIGIN), old_size=old, new_size=size, new_root=ROOTS[size], note_hash=bytes(32), proof=()
        )
        quote = self.chain.quote(address_of(ANCHORER), calldata)
        assert quote.gas_price is not None
        return sign_transaction(
            account_of(ANCHORER),
            chain_id=self.profile.chain_id,
            nonce=changes.get("nonce", quote.nonce),
            to=self.profile.contracts[0].address,
            calldata=calldata,
            gas_limit=changes.get("gas_limit", quote.gas_limit),
            gas_price=quote.gas_price,
        )

    def anchor(self) -> Included:
        sent = self.signed()
        self.chain.submit(sent)
        outcome = self.chain.outcome(sent)
        assert isinstance(outcome, Included)
        return outcome


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    ticks = count(START * 1000, 1500)  # block.timestamp in milliseconds, as FISCO BCOS has it
    with ExitStack() as stack:
        dev = stack.enter_context(open_chain(tmp_path / "chain.db", clock=lambda: next(ticks)))
        nodes = stack.enter_context(fisco_group(dev, 3))
        network = Network(http_endpoint(nodes[0].url).rpc, dev.chain_id, gas_price=None)
        profile = replace(
            deploy(dev, network),
            consensus=Consensus.FISCO,
            validator_sets=(),
            max_grade=Grade.UNSEALED_DEV,
            answers=AnswersPolicy(equal=2, nodes=3),
        )
        endpoints = [http_endpoint(node.url) for node in nodes]
        assert isinstance(connect_chain(endpoints, profile), FiscoChain)
        chain = FiscoChain(endpoints, profile, stopwatch=lambda: 0)
        yield Group(dev, nodes, profile, chain)


def test_the_whole_way(group: Group) -> None:
    assert group.chain.head(ORIGIN).size == 0
    included = group.anchor()
    head = group.chain.head(ORIGIN)
    assert (head.size, head.root, head.as_of_hash) == (5, ROOTS[5], included.block_hash)
    found = group.chain.evidence(ORIGIN, 5)
    assert isinstance(found, Answers)
    assert (found.block_number, found.block_hash, found.root) == (included.block_number, included.block_hash, ROOTS[5])
    assert ([answer.node for answer in found.answers], found.asked) == (sorted(group.names), 3)
    assert {answer.anchorer for answer in found.answers} == {address_of(ANCHORER)}
    assert START <= found.answers[0].stored_time < START + 1000
    asked = {method for node in group.nodes for method, _ in node.calls}
    assert asked <= METHODS - {"eth_sendTransaction", "eth_sign", "eth_signTransaction"}


def test_what_is_not_there_is_said_by_enough_nodes(group: Group) -> None:
    with pytest.raises(VerificationError) as caught:
        group.chain.evidence(ORIGIN, 5)
    assert caught.value.code == "anchor.absent"


def test_the_price_is_the_chains(group: Group) -> None:
    for node in group.nodes:
        node.lies["eth_gasPrice"] = lambda *_: "0x7"
    calldata = encode_anchor(
        origin=origin_id(ORIGIN), old_size=0, new_size=5, new_root=ROOTS[5], note_hash=bytes(32), proof=()
    )
    assert group.chain.quote(address_of(ANCHORER), calldata).gas_price == 7


def test_refusals_have_their_names(group: Group) -> None:
    group.anchor()
    for sender, old, root, code in (
        (STRANGER, 0, ROOTS[6], "contract.conflict"),
        (ANCHORER, 3, ROOTS[7], "contract.stale-head"),
    ):
        size = 5 if code == "contract.conflict" else 7
        calldata = encode_anchor(
            origin=origin_id(ORIGIN), old_size=old, new_size=size, new_root=root, note_hash=bytes(32), proof=()
        )
        with pytest.raises(RefusedError) as caught:
            group.chain.quote(address_of(sender), calldata)
        assert caught.value.code == code


def _other(_: list[Any], value: Any) -> Any:
    """Another value of the same form."""
    if isinstance(value, str):
        return value[:-1] + ("1" if value[-1] != "1" else "2")
    return value


def _other_block(_: list[Any], block: Any) -> Any:
    return block and block | {"hash": _other(_, block["hash"])}


def _other_receipt(_: list[Any], receipt: Any) -> Any:
    return receipt and receipt | {"status": "0x0"}


LIES: dict[str, Callable[[list[Any], Any], Any]] = {
    "eth_call": _other,
    "eth_getTransactionCount": _other,
    "eth_gasPrice": _other,
    "eth_getBlockByNumber": _other_block,
    "eth_getTransactionReceipt": _other_receipt,
}


@pytest.mark.parametrize("method", list(LIES))
@pytest.mark.parametrize("liar", [0, 2])
def test_one_liar_changes_nothing_and_is_named(group: Group, method: str, liar: int) -> None:
    group.chain.head(ORIGIN)  # all three are of the right network
    group.nodes[liar].lies[method] = LIES[method]
    included = group.anchor()
    assert included.succeeded
    found = group.chain.evidence(ORIGIN, 5)
    assert found.root == ROOTS[5]
    assert group.chain.head(ORIGIN).size == 5
    wrong = [each.name for each in group.chain.health(now=START) if each.failures]
    assert wrong == [group.names[liar]]


def test_no_agreement_is_undetermined_and_says_who_said_what(group: Group) -> None:
    group.anchor()
    group.nodes[0].lies["eth_call"] = _other
    group.nodes[1].lies["eth_call"] = lambda *_: "0x" + "00" * 32 * 4
    with pytest.raises(UnavailableError) as caught:
        group.chain.evidence(ORIGIN, 5)
    assert caught.value.code == "chain.disagreement"
    assert all(name in str(caught.value) for name in group.names)


def test_too_few_nodes_are_unavailable_never_enough(group: Group) -> None:
    group.anchor()
    dead = "http://127.0.0.1:9"
    for urls, works in (
        ([group.nodes[0].url, dead, group.nodes[1].url], True),
        ([dead, group.nodes[0].url, dead + "/2"], False),
    ):
        chain = connect_chain([http_endpoint(url) for url in urls], group.profile)
        if works:
            found = chain.evidence(ORIGIN, 5)
            assert isinstance(found, Answers)
            assert (len(found.answers), found.asked) == (2, 3)
        else:
            for use in (chain.head, lambda origin, on=chain: on.evidence(origin, 5)):
                with pytest.raises(UnavailableError) as caught:
                    use(ORIGIN)
                assert "127.0.0.1:9" in str(caught.value)


@pytest.mark.parametrize("nodes", [1, 4])
def test_the_profile_says_of_how_many(group: Group, nodes: int) -> None:
    with pytest.raises(MalformedError) as caught:
        connect_chain([http_endpoint(group.nodes[0].url)] * nodes, group.profile)
    assert caught.value.code == "chain.nodes"


def test_null_receipts_are_pending_never_lost(group: Group) -> None:
    sent = group.signed()
    group.chain.submit(sent)
    for node in group.nodes[:2]:
        node.lies["eth_getTransactionReceipt"] = lambda *_: None
        node.lies["eth_getTransactionByHash"] = lambda *_: {"hash": "known"}
    assert group.chain.outcome(sent) == Pending()
    for node in group.nodes[:2]:
        node.lies.clear()
    assert isinstance(group.chain.outcome(sent), Included)


def test_a_taken_nonce_displaces(group: Group) -> None:
    rival = group.signed(gas_limit=300_000)
    assert group.chain.outcome(rival) == Pending()
    group.anchor()
    assert group.chain.outcome(rival) == Displaced()


def test_errors_of_sending_are_judged_by_what_the_node_knows(group: Group) -> None:
    for node in group.nodes:
        node.answers_vm_errors = True
    sent = group.signed()
    assert group.chain.submit(sent) == tuple(group.names)
    assert isinstance(group.chain.outcome(sent), Included)


def test_the_dummy_zeros_of_a_node_are_no_answer(group: Group) -> None:
    for node in group.nodes:
        node.lies["eth_sendRawTransaction"] = lambda *_: ZEROS
    sent = group.signed()
    assert group.chain.submit(sent) == tuple(group.names[1:])  # which say that they know it
    first, *others = group.chain.health(START)
    assert (first.code, {each.failures for each in others}) == ("chain.bad-answer", {0})
    assert isinstance(group.chain.outcome(sent), Included)


def test_events_are_paged_within_the_limit(group: Group) -> None:
    first = group.anchor().block_number
    for _ in range(24):
        group.dev.mine()
    sent = group.signed(old=5, size=5)
    group.chain.submit(sent)
    last = int(group.dev.dispatch("eth_blockNumber", [])["result"], 16)
    node, contract = http_endpoint(group.nodes[0].url), group.profile.contracts[0].address
    group.nodes[0].calls.clear()
    assert [number for number, _ in read_anchored(node, contract, origin_id(ORIGIN), 0, last)] == [first]
    windows = [params[0] for method, params in group.nodes[0].calls if method == "eth_getLogs"]
    spans = [(int(each["fromBlock"], 16), int(each["toBlock"], 16)) for each in windows]
    assert all(stop - start < 10 for start, stop in spans)
    assert [start for start, _ in spans[1:]] == [stop + 1 for _, stop in spans[:-1]]
    assert (spans[0][0], spans[-1][1]) == (0, last)


def test_an_event_that_contradicts_the_state_is_found_out(group: Group) -> None:
    group.anchor()

    def other_root(_: list[Any], logs: Any) -> Any:
        return [log | {"data": "0x" + "11" * 32 + log["data"][66:]} for log in logs]

    for node in group.nodes[:2]:
        node.lies["eth_getLogs"] = other_root
    with pytest.raises(UnavailableError) as caught:
        group.chain.evidence(ORIGIN, 5)
    assert caught.value.code == "chain.bad-evidence"


def test_health_of_every_node(group: Group) -> None:
    group.anchor()
    group.nodes[1].lies["eth_chainId"] = lambda *_: "0x1"
    now = START + 500
    first, second, third = group.chain.check(now)
    assert [first.standing, second.standing, third.standing] == [Standing.OK, Standing.WRONG, Standing.OK]
    assert second.code == "chain.wrong-network"
    assert first.head_number == third.head_number == int(group.dev.dispatch("eth_blockNumber", [])["result"], 16)
    assert (first.lag, second.lag) == (0, None)
    assert first.head_age == third.head_age
    assert 0 < first.head_age < 500


def ask(url: str, body: Any) -> Any:
    with urlopen(Request(url, json.dumps(body).encode()), timeout=5) as response:
        return json.load(response)


def test_the_shim_is_strict(group: Group) -> None:
    node = group.nodes[1]

    def call(method: str, *params: Any) -> Any:
        return ask(node.url, {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})

    contract = "0x" + group.profile.contracts[0].address.hex()
    assert call("eth_getProof", contract, [], "latest")["error"]["code"] == -32601
    assert call("debug_getRawHeader", "0x1")["error"]["code"] == -32601
    assert call("eth_getTransactionCount", "0x" + address_of(ANCHORER).hex(), "0x0")["result"] == "0x0"
    assert call("eth_getCode", contract, "0x0")["result"] != "0x"
    assert call("eth_sendTransaction", {})["result"] == ZEROS
    assert call("eth_getTransactionReceipt", ZEROS)["result"] is None
    assert len(call("eth_getBlockByNumber", "0x0", False)["result"]["extraData"]) > 50_000
    request = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}
    assert len(ask(node.url, [request] * 8)) == 8
    assert "error" in ask(node.url, [request] * 9)


def test_a_silent_server_is_found_out_by_name(group: Group) -> None:
    with serve(lambda _: b"") as url:
        urls = (url, group.nodes[0].url, group.nodes[1].url)
        chain = connect_chain([http_endpoint(each) for each in urls], group.profile)
        assert chain.head(ORIGIN).size == 0
        assert [each.standing for each in chain.health(START)] == [Standing.WRONG, Standing.OK, Standing.OK]
