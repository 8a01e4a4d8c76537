"""A log and a client of a witness, written from C2SP tlog-witness, tlog-checkpoint and tlog-cosignature.

It shares no code with ``ledger`` and ``signing``: bytes are put together by hand, signatures are PyNaCl's.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from nacl.signing import SigningKey, VerifyKey

from tests.support.ledger_reference import mth, proof

ORIGIN = "example.gov/licences"
LEAVES = [bytes.fromhex(x) for x in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")]
LEAVES.append(bytes.fromhex("606162636465666768696a6b6c6d6e6f"))


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def key_id(name: str, kind: int, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]


def vkey(name: str, kind: int, public: bytes) -> str:
    return f"{name}+{key_id(name, kind, public).hex()}+{b64(bytes([kind]) + public)}"


@dataclass
class HandLog:
    """A log that signs whatever it is told to: ``entries`` may be forked at will."""

    origin: str = ORIGIN
    seed: bytes = bytes([1]) * 32
    entries: list[bytes] = field(default_factory=lambda: list(LEAVES))

    @property
    def public(self) -> bytes:
        return bytes(SigningKey(self.seed).verify_key)

    @property
    def vkey(self) -> str:
        return vkey(self.origin, 1, self.public)

    def line(self, text: bytes) -> bytes:
        signature = SigningKey(self.seed).sign(text).signature
        return f"— {self.origin} {b64(key_id(self.origin, 1, self.public) + signature)}\n".encode()

    def text(self, size: int, root: bytes | None = None) -> bytes:
        return f"{self.origin}\n{size}\n{b64(mth(self.entries[:size]) if root is None else root)}\n".encode()

    def checkpoint(self, size: int, root: bytes | None = None) -> bytes:
        text = self.text(size, root)
        return text + b"\n" + self.line(text)

    def request(
        self, old: int, size: int, *, hashes: Sequence[bytes] | None = None, note: bytes | None = None
    ) -> bytes:
        """The body of add-checkpoint; the right proof unless ``hashes`` are given."""
        if hashes is None:
            hashes = proof(old, self.entries[:size]) if 0 < old < size else ()
        lines = "".join(f"{b64(value)}\n" for value in hashes)
        return f"old {old}\n{lines}\n".encode() + (self.checkpoint(size) if note is None else note)


def read_cosignature(lines: bytes, text: bytes, name: str, public: bytes) -> int:
    """The time of the one cosignature of this witness in ``lines``, verified; AssertionError or BadSignatureError."""
    line = lines.decode()
    assert line.startswith(f"— {name} ")
    assert line.endswith("\n")
    assert line.count("\n") == 1
    blob = base64.b64decode(line.removesuffix("\n").split(" ")[2], validate=True)
    assert blob[:4] == key_id(name, 4, public)
    time = int.from_bytes(blob[4:12])
    VerifyKey(public).verify(b"cosignature/v1\ntime %d\n" % time + text, blob[12:])
    return time
