"""How the keys that we use look in PKCS#11: one table, from a token's attributes to what checks the signatures."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha384
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from pkcs11 import Attribute, KeyType, Mechanism, Object
from pkcs11.exceptions import AttributeTypeInvalid

from signing import ed25519
from signing.digests import sha256
from signing.ecdsa import ES256, ES384, Ecdsa
from signing.errors import VerificationError
from signing.hsm import KeyKind

_OCTET_STRING: Final = 4
_UNCOMPRESSED: Final = b"\x04"

SECP256K1: Final = Ecdsa(  # over digests: the chain's hash is Keccak
    "secp256k1",
    ec.SECP256K1(),
    ec.ECDSA(Prehashed(SHA256())),
    32,
    0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
)


@dataclass(frozen=True, slots=True)
class Kind:
    """How a kind of key looks in PKCS#11. ``params`` is CKA_EC_PARAMS: read in any spelling, written in the first.

    ``prefix`` is what stands before the raw public key in CKA_EC_POINT; ``prepare`` makes what the token signs.
    """

    key_type: KeyType
    generation: Mechanism
    mechanism: Mechanism
    params: tuple[bytes, ...]
    prefix: bytes
    raw_size: int
    signature_size: int
    prepare: Callable[[bytes], bytes]
    is_point: Callable[[bytes], bool]
    verifies: Callable[[bytes, bytes, bytes], bool]


def _curve(oid: str, ecdsa: Ecdsa, prepare: Callable[[bytes], bytes]) -> Kind:
    size = 2 * ecdsa.size
    return Kind(
        KeyType.EC,
        Mechanism.EC_KEY_PAIR_GEN,
        Mechanism.ECDSA,
        (bytes.fromhex(oid),),
        _UNCOMPRESSED,
        size,
        size,
        prepare,
        ecdsa.is_point,
        ecdsa.verifies,
    )


KINDS: Final[dict[KeyKind, Kind]] = {
    "Ed25519": Kind(
        KeyType.EC_EDWARDS,
        Mechanism.EC_EDWARDS_KEY_PAIR_GEN,
        Mechanism.EDDSA,
        (bytes.fromhex("06032b6570"), b"\x13\x0cedwards25519"),  # OID 1.3.101.112, or a name (v3.0 §2.3.5)
        b"",
        32,
        64,
        bytes,
        ed25519.is_point,
        ed25519.verifies,
    ),
    "ES256": _curve("06082a8648ce3d030107", ES256, sha256),
    "ES384": _curve("06052b81040022", ES384, lambda message: sha384(message).digest()),
    "secp256k1": _curve("06052b8104000a", SECP256K1, bytes),
}


def kind_of(key: Object) -> KeyKind | None:
    """None for a key that is of no use to us."""
    try:
        found = key[Attribute.KEY_TYPE], key[Attribute.EC_PARAMS]
    except (AttributeTypeInvalid, ValueError):  # no elliptic curve; ValueError: a vendor's own type
        return None
    return next((name for name, kind in KINDS.items() if found[0] == kind.key_type and found[1] in kind.params), None)


def raw_point(value: bytes, kind: Kind) -> bytes:
    """CKA_EC_POINT is a DER OCTET STRING (v2.40 §2.3.3); some tokens give its content alone."""
    size = len(kind.prefix) + kind.raw_size
    point = value[2:] if value[:2] == bytes((_OCTET_STRING, size)) and len(value) == size + 2 else value
    if len(point) != size or not point.startswith(kind.prefix):
        raise VerificationError("hsm.key-pair", "the token's public key has another form than its curve's")
    return point[len(kind.prefix) :]
