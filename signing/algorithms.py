"""The one table of signature algorithms. A key names its row; a message never does (RFC 8725 §3.1)."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, get_args

from signing import ecdsa, ed25519, sm2

Algorithm = Literal["Ed25519", "ES256", "ES384", "SM2-SM3"]
"""Names as in JOSE (RFC 7518, RFC 9864). ``SM2-SM3`` is private: none is registered (``docs/formats.md``)."""


class CryptoProfile(StrEnum):
    """The two families of cryptography; a *dual* statement has a signature of each."""

    INTL = "INTL"
    GM = "GM"


@dataclass(frozen=True, slots=True)
class AlgorithmRow:
    """How keys and signatures of one algorithm look, and what checks them.

    ``kty`` and ``crv`` are the JWK's; ``size`` is that of one coordinate, a key having one (``OKP``) or two (``EC``);
    ``signature_size`` in bytes. ``is_point(raw)`` and ``verifies(raw, signature, message)`` take the raw public key;
    the latter raises UnavailableError where the algorithm is not installed.
    """

    kty: Literal["OKP", "EC"]
    crv: str
    size: int
    signature_size: int
    profile: CryptoProfile
    is_point: Callable[[bytes], bool]
    verifies: Callable[[bytes, bytes, bytes], bool]

    @property
    def raw_size(self) -> int:
        """The bytes of a raw public key: x, or X‖Y."""
        return self.size if self.kty == "OKP" else 2 * self.size


ALGORITHMS: Final[dict[Algorithm, AlgorithmRow]] = {
    "Ed25519": AlgorithmRow("OKP", "Ed25519", 32, 64, CryptoProfile.INTL, ed25519.is_point, ed25519.verifies),
    "ES256": AlgorithmRow("EC", "P-256", 32, 64, CryptoProfile.INTL, ecdsa.ES256.is_point, ecdsa.ES256.verifies),
    "ES384": AlgorithmRow("EC", "P-384", 48, 96, CryptoProfile.INTL, ecdsa.ES384.is_point, ecdsa.ES384.verifies),
    "SM2-SM3": AlgorithmRow("EC", "SM2", 32, 64, CryptoProfile.GM, sm2.is_point, sm2.verifies),
}
ALGORITHM_NAMES: Final[tuple[Algorithm, ...]] = get_args(Algorithm)
