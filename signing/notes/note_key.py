"""Verifier keys of signed notes: the vkey text ``<name>+<8 hex of key ID>+<base64(type ‖ key)>`` (C2SP signed-note).

| type | signature | key |
|---|---|---|
| 0x01 | Ed25519 over the text | 32 bytes |
| 0x04 | Ed25519 cosignature/v1, with its time | 32 bytes |
| 0x06 | ML-DSA-44 (sub)tree cosignature, with its time | 1312 bytes |
| 0xff | SM2 with SM3 over the text | ``ematerials/note/sm2-sm3/v1`` ‖ X‖Y, 26 + 64 bytes |

Keys of other types, and of 0xff with other identifiers, are read and written, but nothing is verified with them.
"""

from dataclasses import dataclass
from typing import Final

from signing import ed25519, sm2
from signing.digests import sha256
from signing.encoding import b64_decode, b64_encode
from signing.errors import MalformedError
from signing.keys import PublicKey
from signing.notes import mldsa44

ED25519: Final = 0x01
COSIGNATURE: Final = 0x04
ML_DSA_44: Final = 0x06
PRIVATE: Final = 0xFF
SM2_IDENTIFIER: Final = b"ematerials/note/sm2-sm3/v1"
NAME_MAX: Final = 255
_VKEY_MAX: Final = 4096


def is_key_name(name: str) -> bool:
    """Whether C2SP signed-note allows ``name`` in a line: not empty, no Unicode blank, no ``+``."""
    return bool(name) and not any(char == "+" or char.isspace() for char in name)


def check_key_name(name: str) -> str:
    """Return ``name`` if a key of ours may have it: allowed, at most 255 bytes, and nothing invisible in it."""
    try:
        size = len(name.encode("utf-8"))
    except UnicodeEncodeError:
        size = 0
    if not 0 < size <= NAME_MAX:
        raise MalformedError("note.name", f"key name: 1 to {NAME_MAX} bytes of UTF-8 are needed")
    if not is_key_name(name) or not name.isprintable():
        raise MalformedError("note.name", "key name: holds a blank, a '+' or an invisible character")
    return name


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A key that may sign notes: its name, signature type byte, and the bytes that follow the type in its vkey."""

    name: str
    type: int
    public_key: bytes

    def __post_init__(self) -> None:
        check_key_name(self.name)
        if not 0 <= self.type <= 255 or not self.public_key:
            raise MalformedError("note.vkey", "vkey: bad type or empty key")
        if self.type in (ED25519, COSIGNATURE):
            if len(self.public_key) != 32 or not ed25519.is_point(self.public_key):
                raise MalformedError("note.vkey", "vkey: not an Ed25519 key")
        elif self.type == ML_DSA_44:
            if len(self.public_key) != mldsa44.PUBLIC_KEY_SIZE:
                raise MalformedError("note.vkey", "vkey: not an ML-DSA-44 key")
        elif self.is_sm2:
            raw = self.public_key.removeprefix(SM2_IDENTIFIER)
            if len(raw) != 2 * sm2.SIZE or not sm2.is_point(raw):
                raise MalformedError("note.vkey", "vkey: not an SM2 key")

    @classmethod
    def ed25519(cls, name: str, public_key: bytes) -> "NoteKey":
        """The key of plain Ed25519 lines (type 0x01)."""
        return cls(name, ED25519, public_key)

    @classmethod
    def of(cls, name: str, key: PublicKey) -> "NoteKey":
        """The key of plain lines that ``key`` signs, Ed25519 0x01 or SM2 0xff; MalformedError (``note.key``) else."""
        if key.algorithm == "Ed25519":
            return cls(name, ED25519, key.raw)
        if key.algorithm == "SM2-SM3":
            return cls(name, PRIVATE, SM2_IDENTIFIER + key.raw)
        raise MalformedError("note.key", "a note is signed with an Ed25519 or SM2 key")

    def cosigner(self) -> "NoteKey":
        """The 0x04 form of an Ed25519 key: a witness shows both, for some verifiers know one, some the other.

        Raises MalformedError (``note.key``) for a key of another kind.
        """
        if self.type not in (ED25519, COSIGNATURE):
            raise MalformedError("note.key", "cosignature/v1 needs an Ed25519 key")
        return NoteKey(self.name, COSIGNATURE, self.public_key)

    @property
    def is_sm2(self) -> bool:
        """Whether it is a key of our SM2 lines."""
        return self.type == PRIVATE and self.public_key.startswith(SM2_IDENTIFIER)

    @property
    def is_verifiable(self) -> bool:
        """Whether lines of this key's type can be verified here."""
        return self.type in (ED25519, COSIGNATURE, ML_DSA_44) or self.is_sm2

    @property
    def key_id(self) -> bytes:
        """H(name ‖ 0x0A ‖ type ‖ public key)[:4]."""
        return sha256(self.name.encode() + b"\n" + bytes([self.type]) + self.public_key)[:4]

    def format(self) -> str:
        """The vkey text."""
        return f"{self.name}+{self.key_id.hex()}+{b64_encode(bytes([self.type]) + self.public_key)}"

    @classmethod
    def parse(cls, vkey: str) -> "NoteKey":
        """Read a vkey text and recompute its key ID; raises MalformedError (``note.vkey``, ``note.name``)."""
        parts = vkey.split("+", 2)
        if len(vkey) > _VKEY_MAX or len(parts) != 3:
            raise MalformedError("note.vkey", "vkey: not <name>+<key ID>+<base64>")
        name, key_id, encoded = parts
        blob = b64_decode(encoded, what="vkey")
        if len(blob) < 2:
            raise MalformedError("note.vkey", "vkey: the key is empty")
        key = cls(name, blob[0], blob[1:])
        if key_id != key.key_id.hex():
            raise MalformedError("note.vkey", "vkey: the key ID is not that of name and key")
        return key
