"""A witness written from C2SP tlog-witness and RFC 9162 §2.1.4.2, behind a real HTTP server.

It shares no code with ``ledger`` and ``signing``, and can be told to misbehave.
"""

import base64
import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from tests.support.witness_log import b64, key_id, vkey

Answer = tuple[int, str, bytes]
TEXT, SIZE = "text/plain", "text/x.tlog.size"


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def is_consistent(first: int, second: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> bool:
    """RFC 9162 §2.1.4.2, with its names; equal sizes and the empty tree as tlog-witness has them."""
    if first == 0 or first == second:
        return not path and (first == 0 or old_root == new_root)
    rest = [old_root, *path] if first & (first - 1) == 0 else list(path)
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    if not rest:
        return False
    fr = sr = rest[0]
    for c in rest[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = _node(c, fr), _node(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = _node(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return fr == old_root and sr == new_root and sn == 0


@dataclass
class HandWitness:
    """``misbehave``, if set, answers in its place; ``asked`` are the old sizes that came in."""

    name: str
    seed: bytes
    log_name: str
    log_public: bytes
    size: int = 0
    root: bytes = b""
    url: str = ""
    misbehave: Callable[[bytes], Answer] | None = None
    asked: list[int] = field(default_factory=list)
    time: int = 1_750_000_000
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def vkey(self) -> str:
        return vkey(self.name, 4, bytes(SigningKey(self.seed).verify_key))

    def line(self, text: bytes, time: int | None = None) -> bytes:
        key, at = SigningKey(self.seed), self.time if time is None else time
        signature = key.sign(b"cosignature/v1\ntime %d\n" % at + text).signature
        return (
            f"— {self.name} {b64(key_id(self.name, 4, bytes(key.verify_key)) + at.to_bytes(8) + signature)}\n".encode()
        )

    def answer(self, body: bytes) -> Answer:
        """The steps of the specification, in its order."""
        with self.lock:
            self.asked.append(int(body.split(b"\n")[0].removeprefix(b"old ")))
            return self._answer(body) if self.misbehave is None else self.misbehave(body)

    def _answer(self, body: bytes) -> Answer:
        head, _, note = body.partition(b"\n\n")
        old, *lines = head.split(b"\n")
        text, _, signatures = note.partition(b"\n\n")
        text += b"\n"
        origin, size, root = text.decode().split("\n")[:3]
        if origin != self.log_name:
            return 404, TEXT, b""
        if not self._is_signed(text, signatures):
            return 403, TEXT, b""
        old_size, new_size, new_root = int(old.removeprefix(b"old ")), int(size), base64.b64decode(root)
        if old_size > new_size:
            return 400, TEXT, b""
        if old_size != self.size:
            return 409, SIZE, b"%d\n" % self.size
        if not is_consistent(old_size, new_size, self.root, new_root, [base64.b64decode(line) for line in lines]):
            return 422, TEXT, b""
        self.size, self.root = new_size, new_root
        return 200, TEXT, self.line(text)

    def _is_signed(self, text: bytes, signatures: bytes) -> bool:
        for line in signatures.decode().splitlines():
            _, name, blob = line.split(" ")
            raw = base64.b64decode(blob)
            if (name, raw[:4]) == (self.log_name, key_id(self.log_name, 1, self.log_public)):
                try:
                    VerifyKey(self.log_public).verify(text, raw[4:])
                except BadSignatureError:
                    return False
                return True
        return False


@contextmanager
def serving(witness: HandWitness) -> Iterator[HandWitness]:
    """Answer on a loopback port for the duration of the block; ``url`` is the submission prefix."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            known = self.path == "/at/add-checkpoint"
            status, media_type, answer = witness.answer(body) if known else (404, TEXT, b"")
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    witness.url = f"http://127.0.0.1:{server.server_address[1]}/at"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield witness
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
