"""ML-DSA-44 (FIPS 204, pure, empty context) through cryptography; used for cosignatures of notes only.

It is no algorithm of tokens, so ``signing.algorithms`` does not list it.
"""

from collections.abc import Callable
from typing import Final, TypeVar

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from signing.errors import MalformedError, UnavailableError
from signing.secret import Secret

PUBLIC_KEY_SIZE: Final = 1312
SIGNATURE_SIZE: Final = 2420
_SEED_SIZE: Final = 32

_Key = TypeVar("_Key")


class MlDsa44Signer:
    """An ML-DSA-44 private key, made from its 32-byte seed (ξ of FIPS 204 §6.1); ``raw`` is its public key.

    Raises MalformedError (``key.form``) for another length, UnavailableError (``algorithm.unavailable``).
    """

    __slots__ = ("_key", "raw")

    def __init__(self, seed: Secret) -> None:
        if len(seed) != _SEED_SIZE:
            raise MalformedError("key.form", f"an ML-DSA-44 seed has {_SEED_SIZE} bytes")
        self._key = _load(MLDSA44PrivateKey.from_seed_bytes, bytes(seed))
        self.raw = self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """The signature, 2420 bytes; randomised, so that no two are alike."""
        return self._key.sign(message)


def verifies(raw: bytes, signature: bytes, message: bytes) -> bool:
    """Whether ``signature`` is that of key ``raw`` (1312 bytes) over ``message``. Only ``check_line`` calls this.

    Raises UnavailableError (``algorithm.unavailable``): the signature then is neither good nor bad.
    """
    try:
        _load(MLDSA44PublicKey.from_public_bytes, raw).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _load(load: Callable[[bytes], _Key], data: bytes) -> _Key:
    try:
        return load(data)
    except UnsupportedAlgorithm:
        raise UnavailableError("algorithm.unavailable", "this build of cryptography has no ML-DSA-44") from None
