"""One exchange with a JSON-RPC node over HTTP(S), bounded in bytes and in time. A shell module.

A connection for each call: no retry hides in it, no half-dead connection is met. Redirects, proxies of the
environment, compression and cookies are left out on purpose: a node's answer comes from the node, or not at all.
"""

import errno
import io
import socket
import ssl
import time
from base64 import b64encode
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any, Final, cast
from urllib.parse import SplitResult, unquote, urlsplit

from signing import MalformedError, UnavailableError

ANSWER_MAX_BYTES: Final = 4 << 20
_WIRE_MAX_BYTES: Final = 2 * ANSWER_MAX_BYTES
"""With headers and the marks of chunks, of which a crooked one (of length −1) makes http.client read for ever."""

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class _Deadline:
    """A stop-watch that runs from the first byte sent to the last one read."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds left; raises TimeoutError when there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _TimedBytes(io.RawIOBase):
    """What a socket receives, until the deadline: a sender of single bytes can't draw it out, nor one of gigabytes."""

    def __init__(self, wire: socket.socket, deadline: _Deadline) -> None:
        self._wire = wire
        self._deadline = deadline
        self._room = _WIRE_MAX_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:  # any writable buffer
        self._wire.settimeout(self._deadline.left())
        received = self._wire.recv_into(buffer)
        self._room -= received
        if self._room < 0:
            raise OSError(errno.EMSGSIZE, "too many bytes")
        return received


class _TimedWire:
    """The one method of a socket that HTTPResponse uses."""

    def __init__(self, wire: socket.socket, deadline: _Deadline) -> None:
        self._bytes = _TimedBytes(wire, deadline)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self._bytes)


@dataclass(frozen=True, slots=True)
class HttpNode:
    """Where a node listens. ``name`` is host and port, and may be shown; path, user and password may hold secrets."""

    name: str
    secure: bool
    host: str
    port: int
    path: str = field(repr=False)
    authorization: str | None = field(repr=False)
    tls: ssl.SSLContext | None = field(repr=False)

    @classmethod
    def of_url(cls, url: str, *, tls: ssl.SSLContext | None = None) -> "HttpNode":
        """Read an ``http(s)://`` URL, with user and password if it has them; raises MalformedError (``chain.url``)."""
        try:
            parts = urlsplit(url)
            host, given_port, authorization = parts.hostname, parts.port, _basic(parts)
        except ValueError:
            raise MalformedError("chain.url", "chain: a node's URL can't be read") from None
        if parts.scheme not in _DEFAULT_PORTS or not host:
            raise MalformedError("chain.url", "chain: a node's URL begins with http:// or https:// and names a host")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(
            name=f"{host}:{given_port}" if given_port else host,
            secure=parts.scheme == "https",
            host=host,
            port=given_port or _DEFAULT_PORTS[parts.scheme],
            path=path,
            authorization=authorization,
            tls=tls,
        )

    def post(self, body: bytes, *, timeout_seconds: float) -> bytes:
        """Send ``body``, return the body of a 200 answer.

        Raises UnavailableError: ``chain.unreachable`` (no connection, not in time, broken off, another status),
        ``chain.bad-answer`` (over ANSWER_MAX_BYTES).
        """
        deadline = _Deadline(timeout_seconds)
        try:
            with self._connect(deadline) as wire:
                return self._exchange(wire, deadline, body)
        except (OSError, HTTPException, ValueError) as error:  # ValueError: hosts and paths that no wire takes
            raise UnavailableError("chain.unreachable", type(error).__name__) from None

    def _connect(self, deadline: _Deadline) -> socket.socket:
        context = (self.tls or ssl.create_default_context()) if self.secure else None
        wire = socket.create_connection((self.host, self.port), timeout=deadline.left())
        return wire if context is None else context.wrap_socket(wire, server_hostname=self.host)

    def _exchange(self, wire: socket.socket, deadline: _Deadline, body: bytes) -> bytes:
        connection = HTTPConnection(self.host, self.port)
        connection.sock = wire
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity", "Connection": "close"}
        if self.authorization is not None:
            headers["Authorization"] = self.authorization
        wire.settimeout(deadline.left())
        connection.request("POST", self.path, body, headers)
        with HTTPResponse(cast(socket.socket, _TimedWire(wire, deadline)), method="POST") as response:
            response.begin()
            if response.status != HTTPStatus.OK or response.getheader("Content-Encoding", "identity") != "identity":
                raise UnavailableError("chain.unreachable", f"HTTP status {response.status}, or encoded")
            answer = response.read(ANSWER_MAX_BYTES + 1)
            if len(answer) > ANSWER_MAX_BYTES:
                raise UnavailableError("chain.bad-answer", f"an answer over {ANSWER_MAX_BYTES} bytes")
            if response.length:
                raise UnavailableError("chain.unreachable", "the answer broke off")
            return answer


def _basic(parts: SplitResult) -> str | None:
    """The Authorization header (RFC 7617) for user and password of a URL."""
    if parts.username is None:
        return None
    credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return "Basic " + b64encode(credentials.encode()).decode()
