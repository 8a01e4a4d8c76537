"""One exchange with a node over HTTP: exactly JSON-RPC goes out; nothing endless, oversized or crooked comes in."""

import json
import ssl
import subprocess
import time
import tracemalloc
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from anchors.evm import NodeProvider, http_endpoint
from anchors.jsonrpc import NodeError
from anchors.node import Endpoint
from anchors.rpc_http import ANSWER_MAX_BYTES, HttpNode
from signing import MalformedError, UnavailableError
from tests.support.hostile_server import hostile, ok
from tests.support.tsa import needs_openssl


def ask(url: str, *, seconds: float = 5) -> Endpoint:
    return http_endpoint(url, timeout_seconds=seconds)


def result_of(number: int, body: bytes = b'"0x1"') -> bytes:
    return b'{"jsonrpc":"2.0","id":%d,"result":%s}' % (number, body)


def refused(*pieces: bytes, code: str, seconds: float = 5, pause: float = 0) -> str:
    with hostile(*pieces, pause=pause) as server:
        with pytest.raises(UnavailableError) as caught:
            ask(server.url, seconds=seconds).call("eth_chainId")
        assert caught.value.code == code
        assert str(caught.value).startswith(f"127.0.0.1:{server.port}: eth_chainId: ")
        assert len(server.requests) <= 1
    return str(caught.value)


def test_what_goes_out_is_one_json_rpc_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with hostile(ok(result_of(0))) as server:
        url = server.url.replace("http://", "http://user:p%40ss@") + "/rpc?key=1"
        assert ask(url).call("eth_getProof", "0x00", ["0x01"], "0x2") == "0x1"
        (request,) = server.requests
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /rpc?key=1 HTTP/1.1\r\n")
    assert b"Authorization: Basic dXNlcjpwQHNz" in head  # user:p@ss
    assert b"gzip" not in head
    assert json.loads(body) == {
        "jsonrpc": "2.0",
        "id": 0,
        "method": "eth_getProof",
        "params": ["0x00", ["0x01"], "0x2"],
    }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>proxy</html>",
        b"\xff\xfe",
        b"null",
        b"[]",
        b'"0x1"',
        b"{}",
        b'{"jsonrpc":"2.0","id":0}',
        b'{"jsonrpc":"1.0","id":0,"result":"0x1"}',
        b'{"id":0,"result":"0x1"}',
        result_of(1),
        b'{"jsonrpc":"2.0","id":null,"result":"0x1"}',
        b'{"jsonrpc":"2.0","id":false,"result":"0x1"}',
        b'{"jsonrpc":"2.0","id":"0","result":"0x1"}',
        b'{"jsonrpc":"2.0","id":0,"result":"0x1","result":"0x2"}',
        b'{"jsonrpc":"2.0","id":0,"result":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"jsonrpc":"2.0","id":0,"result":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}",
        b'{"jsonrpc":"2.0","id":0,"result":1' + b"0" * 100_000 + b"}",
        b'{"jsonrpc":"2.0","id":0,"result":NaN}',
        b'{"jsonrpc":"2.0","id":0,"result":"\\ud800"}',
        result_of(0) + b"x",
        b"[" + result_of(0) + b"]",
    ],
    ids=lambda body: str(body[:40]),
)
def test_crooked_answers(body: bytes) -> None:
    with hostile(ok(body)) as server, pytest.raises(UnavailableError) as caught:
        ask(server.url).call("eth_chainId")
    assert caught.value.code == "chain.bad-answer"


def test_oversized_answers_are_not_read_to_the_end() -> None:
    refused(ok(result_of(0, b'"' + b"0" * ANSWER_MAX_BYTES + b'"')), code="chain.bad-answer")
    endless = [b"HTTP/1.1 200 OK\r\n\r\n", *[b" " * (1 << 20)] * 10_000]
    started = time.monotonic()
    refused(*endless, code="chain.bad-answer", seconds=30)
    assert time.monotonic() - started < 10


def test_a_chunk_of_negative_length_ends_with_the_limit() -> None:
    mebibyte = b" " * (1 << 20)
    with hostile(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", *[mebibyte] * 200) as server:
        tracemalloc.start()
        with pytest.raises(UnavailableError) as caught:
            ask(server.url).call("eth_chainId")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert caught.value.code == "chain.unreachable"
    assert peak < 8 * ANSWER_MAX_BYTES


@pytest.mark.parametrize(
    "start",
    [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"],
    ids=["nothing", "headers", "body", "body without length"],
)
def test_answers_by_the_drop_end_with_the_deadline(start: bytes) -> None:
    """Each byte comes long before a socket's own timeout: only a limit on the whole helps."""
    started = time.monotonic()
    refused(start or b"H", *[b"1"] * 300, code="chain.unreachable", seconds=0.6, pause=0.02)
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 500 Oops\r\nContent-Length: %d\r\n\r\n" % len(result_of(0)) + result_of(0),
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + result_of(0),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n{",
        ok(b"\x1f\x8b", b"Content-Encoding: gzip"),
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    ],
    ids=lambda answer: str(answer[:30]),
)
def test_what_is_not_an_answer(answer: bytes) -> None:
    refused(answer, code="chain.unreachable")


def test_errors_of_the_node_are_its_own_words() -> None:
    body = b'{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"Known transaction"}}'
    with hostile(ok(body)) as server, pytest.raises(NodeError, match="Known transaction"):
        ask(server.url).call("eth_sendRawTransaction", "0x")


def test_a_refused_connection_is_one_attempt() -> None:
    started = time.monotonic()
    with pytest.raises(UnavailableError) as caught:
        ask("http://127.0.0.1:9").call("eth_chainId")
    assert caught.value.code == "chain.unreachable"
    assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8545",
        "ws://node",
        "http://",
        "http://node:99999",
        "http://[::1",
        "http://\udc80@node",
        "file:///etc/passwd",
    ],
)
def test_urls_that_name_no_node(url: str) -> None:
    with pytest.raises(MalformedError) as caught:
        http_endpoint(url)
    assert caught.value.code == "chain.url"


def test_hosts_that_no_wire_takes() -> None:
    for url in (f"http://{'a' * 70}.example", "http://a..b", "http://127.0.0.1:9/a b"):
        with pytest.raises(UnavailableError):
            ask(url).call("eth_chainId")


def test_secrets_of_a_url_are_shown_nowhere() -> None:
    node = HttpNode.of_url("https://user:secret@node.example:8545/secret?secret")
    assert "secret" not in repr(node) + node.name
    assert "secret" not in repr(http_endpoint("http://user:secret@node.example/secret"))
    with pytest.raises(UnavailableError) as caught:
        ask("http://user:secret@127.0.0.1:9/secret").call("eth_chainId")
    assert "secret" not in str(caught.value)


@pytest.fixture
def tls_port(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """A node behind TLS with a certificate of its own."""
    certificate, key = tmp_path / "node.pem", tmp_path / "node.key"
    options = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    arguments = ["openssl", *options.split(), "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*arguments, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.wfile.write(ok(result_of(0)))

        def log_message(self, *_: object) -> None:
            """Quiet."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server.server_port, certificate
        server.shutdown()


@needs_openssl
def test_tls_with_the_consortiums_own_root(tls_port: tuple[int, Path]) -> None:
    port, certificate = tls_port
    context = ssl.create_default_context(cafile=str(certificate))
    assert http_endpoint(f"https://localhost:{port}", tls=context).call("eth_chainId") == "0x1"
    for endpoint in (
        http_endpoint(f"https://localhost:{port}"),  # not of a root that the system knows
        http_endpoint(f"https://127.0.0.1:{port}", tls=context),  # not the name in the certificate
    ):
        with pytest.raises(UnavailableError) as caught:
            endpoint.call("eth_chainId")
        assert caught.value.code == "chain.unreachable"


def test_it_serves_web3_as_a_provider() -> None:
    from web3 import Web3

    with hostile(ok(result_of(0, b'"0x4f25"'))) as server:
        provider = NodeProvider(HttpNode.of_url(server.url), 5)
        assert Web3(provider).eth.chain_id == 20261
