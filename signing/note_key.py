"""Verifier keys of signed notes: the vkey text ``<name>+<8 hex of key ID>+<base64(type ‖ key)>`` (C2SP signed-note)."""

from dataclasses import dataclass
from typing import Final

from signing import ed25519
from signing.digests import sha256
from signing.encoding import b64_decode, b64_encode
from signing.errors import MalformedError

ED25519: Final = 0x01
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
    """A key that may sign notes: its name, signature type byte and public key bytes (Ed25519: 32)."""

    name: str
    type: int
    public_key: bytes

    def __post_init__(self) -> None:
        check_key_name(self.name)
        if not 0 <= self.type <= 255 or not self.public_key:
            raise MalformedError("note.vkey", "vkey: bad type or empty key")
        if self.type == ED25519 and not (len(self.public_key) == 32 and ed25519.is_point(self.public_key)):
            raise MalformedError("note.vkey", "vkey: not an Ed25519 key")

    @classmethod
    def ed25519(cls, name: str, public_key: bytes) -> "NoteKey":
        """The key of plain Ed25519 lines (type 0x01)."""
        return cls(name, ED25519, public_key)

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
