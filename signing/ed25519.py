"""Ed25519 (RFC 8032) through PyNaCl: raw bytes in, raw bytes out.

libsodium refuses low-order public keys and a non-canonical s; tests pin that.
"""

from functools import lru_cache

import nacl.bindings
import nacl.exceptions
import nacl.signing

from signing.errors import MalformedError
from signing.secret import Secret


@lru_cache(maxsize=256)
def is_point(raw: bytes) -> bool:
    """Whether 32 bytes are a canonical point of the prime-order group, as every honestly made public key is.

    Implementations differ on keys outside it (RFC 8032 §5.1.7 allows two equations), so that verdicts would too.
    """
    return nacl.bindings.crypto_core_ed25519_is_valid_point(raw)


def load_private(seed: Secret) -> nacl.signing.SigningKey:
    """The key of a 32-byte seed; raises MalformedError for another length."""
    if len(seed) != 32:
        raise MalformedError("key.form", "an Ed25519 seed has 32 bytes")
    return nacl.signing.SigningKey(seed)


def sign(key: nacl.signing.SigningKey, message: bytes) -> bytes:
    """The 64-byte signature."""
    return key.sign(message).signature


def verifies(raw: bytes, signature: bytes, message: bytes) -> bool:
    """Whether ``signature`` is that of key ``raw`` over ``message``. Only ``PublicKey.verify`` calls this."""
    if len(signature) != 64:
        return False
    try:
        nacl.signing.VerifyKey(raw).verify(message, signature)
    except nacl.exceptions.BadSignatureError:
        return False
    return True
