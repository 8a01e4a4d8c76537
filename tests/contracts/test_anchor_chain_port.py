"""The obligations of the ``Chain`` port, run on every way to reach a node."""

from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from eth_hash.auto import keccak

from anchors import Chain, Displaced, Included, Pending, SignedTransaction, TrustProfile
from anchors.contract import encode_anchor, origin_id
from anchors.deploy import Network
from anchors.devchain.chain import DevChain
from anchors.evm import EvmChain, http_endpoint
from anchors.jsonrpc import Rpc
from anchors.node import Endpoint
from anchors.transaction import sign_transaction
from ledger import Checkpoint, RootHash
from signing import JsonValue, RefusedError, UnavailableError, VerificationError, sha256
from tests.support.anchor_forge import make_profile, validator_keys
from tests.support.anchor_world import deploy
from tests.support.devchain_world import ANCHORER, GOVERNOR, account_of, address_of, open_chain
from tests.support.ledger_logs import ORIGIN

FIRST = Checkpoint(ORIGIN, 5, RootHash(sha256(b"root at 5")))


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[DevChain]:
    with open_chain(tmp_path / "chain.db") as chain:
        yield chain


@pytest.fixture
def profile(dev: DevChain) -> TrustProfile:
    return deploy(dev, Network(dev.dispatch, dev.chain_id))


def no_debug_api(rpc: Rpc) -> Rpc:
    """A node with the DEBUG API switched off: its headers must be rebuilt from block JSON."""

    def call(method: str, params: list[JsonValue]) -> object:
        if method.startswith("debug_"):
            return {"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": "Method not found"}}
        return rpc(method, params)

    return call


@pytest.fixture
def http_url(dev: DevChain) -> Iterator[str]:
    """The chain behind a plain HTTP server on the loopback interface."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answer = dev.handle(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


DEAD = "http://127.0.0.1:9"


@pytest.fixture(params=["in process", "no debug API", "http", "a dead node first"])
def chain(request: pytest.FixtureRequest, dev: DevChain, profile: TrustProfile) -> Chain:
    if request.param == "in process":
        return EvmChain([Endpoint("embedded", dev.dispatch)], profile)
    if request.param == "no debug API":
        return EvmChain([Endpoint("embedded", no_debug_api(dev.dispatch))], profile)
    live = http_endpoint(request.getfixturevalue("http_url"))
    dead = [http_endpoint(DEAD)] if request.param == "a dead node first" else []
    return EvmChain([*dead, live], profile)


def transaction(chain: Chain, profile: TrustProfile, **changes: int) -> SignedTransaction:
    """The anchoring of FIRST, signed for the next nonce (or the one given)."""
    calldata = encode_anchor(
        origin=origin_id(ORIGIN),
        old_size=0,
        new_size=FIRST.size,
        new_root=FIRST.root,
        note_hash=bytes(32),
        proof=(),
    )
    quote = chain.quote(address_of(ANCHORER), calldata)
    return sign_transaction(
        account_of(ANCHORER),
        chain_id=profile.chain_id,
        nonce=changes.get("nonce", quote.nonce),
        to=profile.contracts[0].address,
        calldata=calldata,
        gas_limit=changes.get("gas_limit", quote.gas_limit),
        gas_price=0,
    )


def test_an_empty_origin_is_proved_empty(chain: Chain) -> None:
    head = chain.head(ORIGIN)
    assert (head.size, head.root) == (0, bytes(32))
    assert chain.head("another.example/log").size == 0
    with pytest.raises(VerificationError) as caught:
        chain.evidence(ORIGIN, FIRST.size)
    assert caught.value.code == "anchor.absent"


def test_anchor_and_read_back(chain: Chain, profile: TrustProfile) -> None:
    sent = transaction(chain, profile)
    assert chain.outcome(sent) == Pending()
    chain.submit(sent)
    outcome = chain.outcome(sent)
    assert isinstance(outcome, Included)
    assert outcome.succeeded
    head = chain.head(ORIGIN)
    assert (head.size, head.root) == (FIRST.size, FIRST.root)
    evidence = chain.evidence(ORIGIN, FIRST.size, block_number=outcome.block_number)
    assert (evidence.root, evidence.block_hash) == (FIRST.root, outcome.block_hash)
    assert chain.evidence(ORIGIN, FIRST.size).block_number >= outcome.block_number


def test_sending_again_is_harmless(chain: Chain, profile: TrustProfile, dev: DevChain) -> None:
    sent = transaction(chain, profile)
    dev.hold_mining()
    chain.submit(sent)
    chain.submit(sent)
    assert chain.outcome(sent) == Pending()
    dev.release_mining()
    before = chain.outcome(sent)
    chain.submit(sent)
    assert chain.outcome(sent) == before
    assert isinstance(before, Included)


def test_a_taken_nonce_displaces(chain: Chain, profile: TrustProfile) -> None:
    first = transaction(chain, profile)
    rival = transaction(chain, profile, gas_limit=300_000)
    assert rival.tx_hash != first.tx_hash
    chain.submit(first)
    assert chain.outcome(rival) == Displaced()
    with pytest.raises(RefusedError) as caught:
        chain.submit(rival)
    assert caught.value.code == "chain.refused"


def test_refusals_of_the_contract_have_names(chain: Chain, profile: TrustProfile) -> None:
    call = {"origin": origin_id(ORIGIN), "new_size": 5, "new_root": FIRST.root, "note_hash": bytes(32), "proof": ()}
    good = encode_anchor(old_size=0, **call)
    for sender, calldata, code in (
        (address_of(GOVERNOR), good, "contract.not-anchorer"),
        (address_of(ANCHORER), encode_anchor(old_size=3, **call), "contract.stale-head"),
        (address_of(ANCHORER), encode_anchor(old_size=0, **{**call, "origin": bytes(32)}), "contract.bad-origin"),
    ):
        with pytest.raises(RefusedError) as caught:
            chain.quote(sender, calldata)
        assert caught.value.code == code
    chain.submit(transaction(chain, profile))
    with pytest.raises(RefusedError) as caught:
        chain.quote(address_of(ANCHORER), encode_anchor(old_size=0, **{**call, "new_root": sha256(b"?")}))
    assert caught.value.code == "contract.conflict"


def test_a_failed_transaction_is_included_and_says_so(chain: Chain, profile: TrustProfile) -> None:
    sent = transaction(chain, profile, gas_limit=60_000)
    chain.submit(sent)
    outcome = chain.outcome(sent)
    assert isinstance(outcome, Included)
    assert not outcome.succeeded


def test_a_vanished_block_is_pending_again(chain: Chain, profile: TrustProfile, dev: DevChain) -> None:
    sent = transaction(chain, profile)
    chain.submit(sent)
    dev.reorg(1)
    assert chain.outcome(sent) == Pending()
    chain.submit(sent)
    assert isinstance(chain.outcome(sent), Included)


USES: dict[str, Callable[[Chain, SignedTransaction], object]] = {
    "head": lambda chain, _: chain.head(ORIGIN),
    "quote": lambda chain, _: chain.quote(bytes(20), b""),
    "submit": lambda chain, sent: chain.submit(sent),
    "outcome": lambda chain, sent: chain.outcome(sent),
    "evidence": lambda chain, _: chain.evidence(ORIGIN, 5),
}
PROFILE = make_profile(validator_keys(4))
SENT = SignedTransaction(b"\x01", keccak(b"\x01"), bytes(20), 0)


@pytest.mark.parametrize("use", list(USES))
def test_no_node_is_unavailable_never_empty(use: str) -> None:
    with pytest.raises(UnavailableError):
        USES[use](EvmChain([http_endpoint(DEAD)], PROFILE), SENT)


@pytest.mark.parametrize("use", list(USES))
@pytest.mark.parametrize(
    "answer",
    [
        {"result": None},
        {"result": "0x"},
        {"result": []},
        {"result": {}},
        {"result": "0x5"},
        {"error": {"code": 1, "message": "?"}},
        {"error": "\ud800"},
        {},
        [],
        None,
        "x",
    ],
)
def test_nonsense_is_unavailable(use: str, answer: JsonValue) -> None:
    nonsense = EvmChain([Endpoint("nonsense", lambda method, params: answer)], PROFILE)
    with pytest.raises(UnavailableError):
        USES[use](nonsense, SENT)
