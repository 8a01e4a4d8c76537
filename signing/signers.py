"""Signers that hold their private key in memory. The key shows in no ``repr`` and leaves only into a key file."""

from collections.abc import Callable

from signing import ed25519, es256
from signing.keys import PublicKey


class Ed25519Signer:
    """An Ed25519 private key (RFC 8032), made from its 32-byte seed."""

    __slots__ = ("_key", "public_key")

    def __init__(self, seed: bytes) -> None:
        self._key = ed25519.load_private(seed)
        self.public_key = PublicKey("Ed25519", bytes(self._key.verify_key))

    @classmethod
    def generate(cls, random_bytes: Callable[[int], bytes]) -> "Ed25519Signer":
        """A new key from ``random_bytes(32)``."""
        return cls(random_bytes(32))

    def secret_bytes(self) -> bytes:
        """The seed, for a key file only."""
        return bytes(self._key)

    def sign(self, message: bytes) -> bytes:
        """RFC 8032 signature, 64 bytes."""
        return ed25519.sign(self._key, message)


class Es256Signer:
    """A P-256 private key (RFC 7518 §3.4), made from its 32-byte scalar."""

    __slots__ = ("_key", "_scalar", "public_key")

    def __init__(self, scalar: bytes) -> None:
        self._key = es256.load_private(scalar)
        self._scalar = scalar
        self.public_key = PublicKey("ES256", es256.raw_public(self._key))

    @classmethod
    def generate(cls, random_bytes: Callable[[int], bytes]) -> "Es256Signer":
        """A new key from ``random_bytes``; draws again in the 2^-32 case of a scalar that is out of range."""
        while not es256.in_range(scalar := random_bytes(32)):
            continue
        return cls(scalar)

    def secret_bytes(self) -> bytes:
        """The scalar, big-endian, for a key file only."""
        return self._scalar

    def sign(self, message: bytes) -> bytes:
        """ECDSA with SHA-256: r‖s, 64 bytes."""
        return es256.sign(self._key, message)
