"""What a workspace keeps of a key that lives in an HSM: a small public file beside the key files.

Format ``ematerials/hsmkey/v1``: canonical JSON with the kind, the key's label in the token, and its public part, by
which the token's key is recognised: a token may be exchanged, a label given twice.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from eth_hash.auto import keccak

from signing import (
    JsonValue,
    MalformedError,
    PublicKey,
    UnavailableError,
    b64url_decode,
    b64url_encode,
    dump_json,
    json_object,
    json_str,
    parse_json,
)
from signing.hsm import KEY_KINDS, KeyKind

VERSION: Final = "ematerials/hsmkey/v1"
MAX_BYTES: Final = 4096
_COORDINATE: Final = 32
_P: Final = 2**256 - 2**32 - 977  # SEC 2, §2.4.1


@dataclass(frozen=True, slots=True)
class HsmReference:
    """A key in the HSM: its kind, its label there, and its public key, or the point X‖Y of a chain account's key."""

    kind: KeyKind
    label: str
    public: PublicKey | bytes

    def format(self) -> bytes:
        """The file's bytes."""
        return dump_json({"version": VERSION, "kind": self.kind, "label": self.label, "public": self._jwk()}) + b"\n"

    @property
    def address(self) -> bytes | None:
        """The Ethereum address of a chain account; None of a key that signs statements."""
        return None if isinstance(self.public, PublicKey) else bytes(keccak(self.public)[12:])

    def _jwk(self) -> JsonValue:
        """RFC 8812 names the account's curve."""
        if isinstance(self.public, PublicKey):
            return self.public.to_jwk()
        x, y = self.public[:_COORDINATE], self.public[_COORDINATE:]
        return {"crv": "secp256k1", "kty": "EC", "x": b64url_encode(x), "y": b64url_encode(y)}


def read_reference(path: Path) -> HsmReference | None:
    """The reference in file ``path``; None if there is none.

    Raises UnavailableError (``keyfile.missing``) if it can't be read, MalformedError as ``parse_reference``.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnavailableError("keyfile.missing", f"key file {path.name}: {error.strerror}") from None
    return parse_reference(data)


def parse_reference(data: bytes) -> HsmReference:
    """Read a file; only its canonical spelling is taken.

    Raises MalformedError: ``form.*``, ``key.form``, ``keyfile.kind``.
    """
    value = parse_json(data, what="HSM key", max_bytes=MAX_BYTES)
    members = json_object(value, what="HSM key", required=("version", "kind", "label", "public"))
    if members["version"] != VERSION:
        raise MalformedError("form.version", f"HSM key: the version is not {VERSION}")
    kind, label = (json_str(members[name], what=f"HSM key {name}", max_length=64) for name in ("kind", "label"))
    if not label:
        raise MalformedError("form.type", "HSM key: the label is empty")
    if kind not in KEY_KINDS:
        raise MalformedError("keyfile.kind", "HSM key: a kind that no HSM holds for us")
    if data != dump_json(members) + b"\n":
        raise MalformedError("form.canonical", "HSM key: not in canonical form")
    if kind == "secp256k1":
        return HsmReference(kind, label, _read_point(members["public"]))
    key = PublicKey.from_jwk(members["public"], what="HSM key")
    if key.algorithm != kind:
        raise MalformedError("keyfile.kind", "HSM key: kind and public key differ")
    return HsmReference(cast(KeyKind, kind), label, key)


def _read_point(value: JsonValue) -> bytes:
    members = json_object(value, what="HSM key", required=("crv", "kty", "x", "y"))
    parts = [b64url_decode(json_str(members[name], what="HSM key", max_length=43), what="HSM key") for name in "xy"]
    x, y = (int.from_bytes(part) for part in parts)
    on_curve = x < _P and y < _P and (y * y - x * x * x - 7) % _P == 0
    named = (members["kty"], members["crv"]) == ("EC", "secp256k1")
    if not named or not on_curve or any(len(part) != _COORDINATE for part in parts):
        raise MalformedError("key.form", "HSM key: not a point of secp256k1")
    return b"".join(parts)
