"""A log of somebody else: tiles made from the definitions alone, signed with PyNaCl, served by the standard library."""

import base64
import gzip
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from nacl.signing import SigningKey

from ledger.log_source import Wanted
from tests.support.independent import _place, leaf, root_of, sha256

ORIGIN = "example.org/elsewhere"
Files = dict[str, bytes]
Answer = Callable[[BaseHTTPRequestHandler], None]


def sign(size: int, root: bytes, *, seed: int = 7, origin: str = ORIGIN) -> bytes:
    """A checkpoint note."""
    key = SigningKey(bytes([seed]) * 32)
    text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n".encode()
    blob = key_id(seed, origin) + key.sign(text).signature
    return text + b"\n" + f"\u2014 {origin} {base64.b64encode(blob).decode()}\n".encode()


def key_id(seed: int = 7, origin: str = ORIGIN) -> bytes:
    public = bytes(SigningKey(bytes([seed]) * 32).verify_key)
    return sha256(origin.encode() + b"\n\x01" + public)[:4]


def vkey(seed: int = 7, origin: str = ORIGIN) -> str:
    public = bytes(SigningKey(bytes([seed]) * 32).verify_key)
    encoded = base64.b64encode(b"\1" + public).decode()
    return f"{origin}+{key_id(seed, origin).hex()}+{encoded}"


def entries_of(size: int, word: str = "entry") -> list[bytes]:
    return [f"{word} {number}".encode() for number in range(size)]


def files_of(entries: Sequence[bytes], **signing: object) -> Files:
    """The files of a log with one checkpoint, over all entries: exactly those that its tree has."""
    hashes = [leaf(entry) for entry in entries]
    files: Files = {"checkpoint": sign(len(entries), root_of(hashes), **signing)}
    for at in range(0, len(entries), 256):
        some = entries[at : at + 256]
        bundle = b"".join(len(entry).to_bytes(2, "big") + entry for entry in some)
        files[f"tile/entries/{_place(at // 256, len(some))}"] = bundle
    level = 0
    while hashes:
        for at in range(0, len(hashes), 256):
            files[f"tile/{level}/{_place(at // 256, len(hashes[at : at + 256]))}"] = b"".join(hashes[at : at + 256])
        full = len(hashes) // 256
        hashes = [root_of(hashes[at * 256 : at * 256 + 256]) for at in range(full)]
        level += 1
    return files


class Shelf:
    """A ``LogSource`` over files in memory; ``asked`` are the paths that were wanted."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = files
        self.asked: list[str] = []

    def read(self, wanted: Sequence[Wanted]) -> list[bytes | None]:
        self.asked += [each.path for each in wanted]
        return [self._read(each) for each in wanted]

    def _read(self, wanted: Wanted) -> bytes | None:
        data = self.files.get(wanted.path)
        return None if data is None else data[: wanted.max_bytes + 1]


@contextmanager
def serving(files: Mapping[str, bytes], special: Mapping[str, Answer] | None = None) -> Iterator[str]:
    """Serve ``files`` under a prefix on a loopback port; a function answers for ``special`` paths. Yields the URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.removeprefix("/some/log/")
            answer = (special or {}).get(path)
            if answer is not None:
                answer(self)
            elif path in files:
                respond(self, files[path], zipped=path.startswith("tile/entries/"))
            else:
                respond(self, b"nothing here", status=404)

        def log_message(self, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # the client went away: that is what is tested

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/some/log/"
    finally:
        server.shutdown()
        thread.join()
        server.socket.close()


def respond(
    handler: BaseHTTPRequestHandler, body: bytes, *, status: int = 200, zipped: bool = False, **headers: str
) -> None:
    """One whole answer; ``zipped`` without being asked, as C2SP tlog-tiles allows."""
    content = gzip.compress(body) if zipped else body
    handler.send_response(status)
    if zipped:
        handler.send_header("Content-Encoding", "gzip")
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)
