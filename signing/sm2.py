"""SM2 with SM3 (GB/T 32918.2; signatures as in GB/T 35276) through gmssl-pyx, the extra ``gm``.

The signer ID goes into every signature (ZA). It is always given, never empty and never left out: OpenSSL signs with an
*empty* ID unless it is told one, and such a signature verifies nowhere else.
"""

from typing import TYPE_CHECKING, Final

from signing.dss import der_to_raw, in_range, raw_to_der
from signing.errors import MalformedError, UnavailableError
from signing.secret import Secret

if TYPE_CHECKING:
    from types import ModuleType

DEFAULT_SIGNER_ID: Final = b"1234567812345678"
SIGNER_ID_MAX: Final = 8191
SIZE: Final = 32
ORDER: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
_P: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
_B: Final = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
_PROBE: Final = b"ematerials: do these two halves belong together?"


def is_point(raw: bytes) -> bool:
    """Whether X‖Y is a point of the curve (GB/T 32918.5); told without the extra, so that lists stay readable."""
    x, y = int.from_bytes(raw[:SIZE]), int.from_bytes(raw[SIZE:])
    return x < _P and y < _P and (y * y - x * (x * x - 3) - _B) % _P == 0


def generate() -> tuple[Secret, bytes]:
    """A new (scalar, X‖Y), drawn by gmssl from the operating system."""
    raw, scalar = _gmssl().sm2_key_generate()
    return Secret(scalar), bytes(raw)


def check_pair(scalar: Secret, raw: bytes) -> None:
    """Return if ``raw`` is the public key of ``scalar``; gmssl itself does not look.

    Raises MalformedError (``key.form``) for a scalar that is not from 1 to n−2, or another's public key.
    """
    if len(scalar) != SIZE or not 0 < int.from_bytes(scalar) < ORDER - 1:
        raise MalformedError("key.form", "SM2: a private key has 32 bytes, from 1 to n−2")
    if len(raw) != 2 * SIZE or not is_point(raw) or not verifies(raw, sign(scalar, raw, _PROBE), _PROBE):
        raise MalformedError("key.form", "SM2: the public key is not that of the private key")


def sign(scalar: Secret, raw: bytes, message: bytes, *, signer_id: bytes = DEFAULT_SIGNER_ID) -> bytes:
    """r‖s, 64 bytes, over ``message`` with ZA of ``signer_id`` and the public key ``raw`` (X‖Y)."""
    der = _gmssl().sm2_sign(bytes(scalar), raw, message, signer_id=_check_id(signer_id))
    return der_to_raw(der, SIZE)


def verifies(raw: bytes, signature: bytes, message: bytes, *, signer_id: bytes = DEFAULT_SIGNER_ID) -> bool:
    """Whether r‖s is the signature of key X‖Y over ``message`` under ``signer_id``.

    Raises UnavailableError (``extra.gm``) without gmssl-pyx: the signature then is neither good nor bad.
    """
    gmssl = _gmssl()
    if not in_range(signature, SIZE, ORDER):
        return False
    try:
        return bool(gmssl.sm2_verify(raw, message, raw_to_der(signature), signer_id=_check_id(signer_id)))
    except gmssl.GmsslInnerError:
        return False


def _check_id(signer_id: bytes) -> bytes:
    if not 0 < len(signer_id) <= SIGNER_ID_MAX:
        raise MalformedError("signature.signer-id", f"SM2: a signer ID has 1 to {SIGNER_ID_MAX} bytes")
    return signer_id


def _gmssl() -> "ModuleType":
    try:
        import gmssl_pyx
    except ImportError:
        raise UnavailableError("extra.gm", "SM2 needs the extra 'gm': pip install 'ematerials[gm]'") from None
    module: ModuleType = gmssl_pyx
    return module
