"""A server that answers each connection with bytes of the test's choice, as slowly as it likes, and keeps requests."""

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread


@dataclass
class HostileServer:
    """``pieces`` are sent one after another, ``pause`` seconds apart, however long the client listens."""

    pieces: Sequence[bytes]
    pause: float = 0
    requests: list[bytes] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, wire: socket.socket) -> None:
        """Read one whole request, answer it."""
        wire.settimeout(5)
        received = b""
        while b"\r\n\r\n" not in received:
            received += wire.recv(65536)
        head, _, body = received.partition(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        while len(body) < length:
            body += wire.recv(65536)
        self.requests.append(head + b"\r\n\r\n" + body)
        for piece in self.pieces:
            wire.sendall(piece)
            time.sleep(self.pause)


@contextmanager
def hostile(*pieces: bytes, pause: float = 0) -> Iterator[HostileServer]:
    """The server while the block runs."""
    server, over = HostileServer(pieces, pause), Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.05)
        server.port = listening.getsockname()[1]

        def run() -> None:
            while not over.is_set():
                try:
                    wire, _ = listening.accept()
                except TimeoutError:
                    continue
                with wire:
                    try:
                        server.answer(wire)
                    except OSError:
                        continue  # the client had enough

        thread = Thread(target=run, daemon=True)
        thread.start()
        yield server
        over.set()
        thread.join()


def ok(body: bytes, *headers: bytes) -> bytes:
    """A 200 answer."""
    lines = [b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
