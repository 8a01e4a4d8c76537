"""Nodes that lie, lag or answer nonsense: never believed, never an unexpected error."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from anchors import TrustProfile
from anchors.deploy import Network
from anchors.devchain.chain import DevChain
from anchors.evm import EvmChain, http_endpoint
from anchors.header import Bft, parse_header
from anchors.jsonrpc import NodeError, read_data, read_quantity, read_result, rebuild_header
from anchors.node import Endpoint, check_network
from signing import JsonValue, UnavailableError
from tests.support.anchor_forge import make_profile, validator_keys
from tests.support.anchor_world import deploy
from tests.support.devchain_world import open_chain, result
from tests.support.ledger_logs import ORIGIN

Answer = Callable[[str, list[JsonValue], JsonValue], JsonValue]


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevChain]:
    with open_chain(tmp_path_factory.mktemp("chain") / Path("chain.db")) as chain:
        yield chain


@pytest.fixture(scope="module")
def profile(dev: DevChain) -> TrustProfile:
    return deploy(dev, Network(dev.dispatch, dev.chain_id))


def lying(dev: DevChain, lie: Answer) -> Endpoint:
    """A node that passes each true result through ``lie``."""

    def call(method: str, params: list[JsonValue]) -> dict[str, JsonValue]:
        response = dict(dev.dispatch(method, params))
        if "result" in response:
            response["result"] = lie(method, params, response["result"])
        return response

    return Endpoint("liar", call)


def of(name: str, change: Callable[[JsonValue], JsonValue]) -> Answer:
    return lambda method, params, value: change(value) if method == name else value


NONSENSE: list[JsonValue] = [None, "", "0x", "0xzz", "0x1", 5, True, [], {}, ["0x00"], {"hash": None}]
READS = ["eth_getBlockByNumber", "debug_getRawHeader", "eth_getProof", "eth_blockNumber"]


@pytest.mark.parametrize("method", READS)
@pytest.mark.parametrize("answer", NONSENSE)
def test_nonsense_in_any_call(dev: DevChain, profile: TrustProfile, method: str, answer: JsonValue) -> None:
    if (method, answer) == ("eth_blockNumber", "0x1"):
        return  # a true block, only an old one: see the test of lagging nodes
    chain = EvmChain([lying(dev, of(method, lambda _: answer))], profile)
    with pytest.raises(UnavailableError):
        chain.head(ORIGIN)


def test_another_network_is_not_talked_to(dev: DevChain, profile: TrustProfile) -> None:
    for other in (replace(profile, chain_id=1), replace(profile, genesis_hash=bytes(32))):
        with pytest.raises(UnavailableError) as caught:
            EvmChain([Endpoint("node", dev.dispatch)], other).head(ORIGIN)
        assert caught.value.code == "chain.wrong-network"


def _older(dev: DevChain) -> Answer:
    """The true header of another block."""
    return of("debug_getRawHeader", lambda _: result(dev, "debug_getRawHeader", "0x1"))


def _cut(value: JsonValue) -> JsonValue:
    assert isinstance(value, dict)
    return {**value, "storageProof": [{"key": "0x0", "value": "0x0", "proof": []}]}


def _more(value: JsonValue) -> JsonValue:
    """More nodes than needed, in another order: some clients do so, it changes nothing."""
    assert isinstance(value, dict)
    assert isinstance(value["accountProof"], list)
    return {**value, "accountProof": ["0xc0", *value["accountProof"][::-1]]}


def test_evidence_that_does_not_hold_is_the_nodes_fault(dev: DevChain, profile: TrustProfile) -> None:
    other_set = replace(profile.validator_sets[0], addresses=tuple(bytes([n]) * 20 for n in range(4)))
    pin = replace(profile.contracts[0], code_hash=bytes(32))
    cases = [
        (lying(dev, _older(dev)), profile, "chain.bad-answer"),
        (lying(dev, of("eth_getProof", _cut)), profile, "chain.bad-evidence"),
        (Endpoint("honest", dev.dispatch), replace(profile, validator_sets=(other_set,)), "chain.bad-evidence"),
        (Endpoint("honest", dev.dispatch), replace(profile, contracts=(pin,)), "chain.bad-evidence"),
    ]
    honest = Endpoint("second", dev.dispatch)
    for endpoint, believed, code in cases:
        with pytest.raises(UnavailableError) as caught:
            EvmChain([endpoint], believed).head(ORIGIN)
        assert caught.value.code == code
        if believed is profile:
            assert EvmChain([endpoint, honest], believed).head(ORIGIN).size == 0


def test_order_and_number_of_nodes_do_not_matter(dev: DevChain, profile: TrustProfile) -> None:
    assert EvmChain([lying(dev, of("eth_getProof", _more))], profile).head(ORIGIN).size == 0


def test_of_two_nodes_the_newer_one_is_heard(dev: DevChain, profile: TrustProfile) -> None:
    latest = int(result(dev, "eth_blockNumber"), 16)
    lagging = lying(dev, of("eth_blockNumber", lambda _: hex(latest - 1)))
    for endpoints in ([lagging, Endpoint("b", dev.dispatch)], [Endpoint("b", dev.dispatch), lagging]):
        assert EvmChain(endpoints, profile).head(ORIGIN).as_of_block == latest


def test_rebuilt_headers_equal_the_raw_ones(dev: DevChain, profile: TrustProfile) -> None:
    for number in range(1, int(result(dev, "eth_blockNumber"), 16) + 1):
        raw = bytes.fromhex(result(dev, "debug_getRawHeader", hex(number))[2:])
        assert rebuild_header(result(dev, "eth_getBlockByNumber", hex(number), False)) == raw


def test_rebuilt_headers_carry_the_tail_of_later_forks(dev: DevChain) -> None:
    block = dict(result(dev, "eth_getBlockByNumber", "0x1", False))
    block |= {"baseFeePerGas": "0x0", "withdrawalsRoot": "0x" + "11" * 32}
    header = parse_header(rebuild_header(block), Bft.QBFT)
    assert header.items[15:] == (b"", b"\x11" * 32)


def test_answers_are_read_strictly() -> None:
    assert read_quantity("0x0a", "x") == 10
    assert read_data("0xABcd", "x") == b"\xab\xcd"
    for bad in ("10", "0x", "0xg", "0x1_0", 1, None, True, "0x" + "1" * 65):
        with pytest.raises(UnavailableError):
            read_quantity(bad, "x")
    for bad in ("", "0x0", "abcd", b"", None, ["0x"], "0x" + "00" * 70_000):
        with pytest.raises(UnavailableError):
            read_data(bad, "x")
    with pytest.raises(UnavailableError):
        read_data("0x00", "x", length=2)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("0x097612db", bytes.fromhex("097612db")),
        ({"data": "0x097612db"}, bytes.fromhex("097612db")),
        ("Reverted 0x097612db", bytes.fromhex("097612db")),
        ("0x", b""),
        (None, None),
        (5, None),
        ("nothing", None),
    ],
)
def test_revert_data_in_its_disguises(data: JsonValue, expected: bytes | None) -> None:
    with pytest.raises(NodeError) as caught:
        read_result("eth_call", {"error": {"code": 3, "message": "execution reverted\n\ud800é", "data": data}})
    assert caught.value.data == expected
    assert str(caught.value).isascii()
    assert "\n" not in str(caught.value)


class _Page(BaseHTTPRequestHandler):
    """Answers every call with the bytes and status of the moment."""

    status, body = 200, b""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.body) + (self.status == 206)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b"<html>proxy</html>"),
        (200, b"\xff\xfe"),
        (200, b"[]"),
        (200, b"null"),
        (200, b'{"jsonrpc":"2.0","id":1}'),
        (200, b'{"result":"0x' + b"00" * 200_000 + b'"}'),
        (206, b'{"result":'),
        (404, b"not found"),
        (500, b'{"result":"0x1"}'),
        (302, b""),
    ],
)
def test_what_web_servers_answer(status: int, body: bytes) -> None:
    _Page.status, _Page.body = status, body
    with ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        node = http_endpoint(f"http://user:secret@127.0.0.1:{server.server_port}/path", timeout_seconds=5)
        with pytest.raises(UnavailableError) as caught:
            check_network(node, make_profile(validator_keys(4)))
        server.shutdown()
    assert "secret" not in str(caught.value)
    assert "secret" not in repr(node)
