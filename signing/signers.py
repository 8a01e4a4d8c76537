"""Signers that hold their private key in memory. The key shows in no ``repr`` and leaves only into a key file."""

from collections.abc import Callable
from typing import Final, Protocol

from signing import ed25519, sm2
from signing.algorithms import ALGORITHMS, Algorithm
from signing.ecdsa import ES256, ES384, Ecdsa, raw_public
from signing.errors import MalformedError
from signing.keys import PublicKey
from signing.secret import Secret


class MemorySigner(Protocol):
    """A Signer whose key can be written into a key file."""

    @property
    def public_key(self) -> PublicKey:
        """The key that verifies what ``sign`` returns."""

    def sign(self, message: bytes) -> bytes:
        """See ``signing.keys.Signer``."""

    def secret_bytes(self) -> Secret:
        """What the signer is made from, for a key file or an export only."""


class Ed25519Signer:
    """An Ed25519 private key (RFC 8032), made from its 32-byte seed."""

    __slots__ = ("_key", "public_key")

    def __init__(self, seed: Secret) -> None:
        self._key = ed25519.load_private(seed)
        self.public_key = PublicKey("Ed25519", bytes(self._key.verify_key))

    @classmethod
    def generate(cls, random_bytes: Callable[[int], bytes]) -> "Ed25519Signer":
        """A new key from ``random_bytes(32)``."""
        return cls(Secret(random_bytes(32)))

    def secret_bytes(self) -> Secret:
        """The seed."""
        return Secret(bytes(self._key))

    def sign(self, message: bytes) -> bytes:
        """RFC 8032 signature, 64 bytes."""
        return ed25519.sign(self._key, message)


class _EcdsaSigner:
    __slots__ = ("_key", "public_key")
    _ecdsa: Ecdsa
    _algorithm: Algorithm

    def __init__(self, scalar: Secret) -> None:
        self._key = self._ecdsa.load_private(scalar)
        self.public_key = PublicKey(self._algorithm, raw_public(self._key.public_key()))

    def secret_bytes(self) -> Secret:
        """The scalar, big-endian."""
        return Secret(self._key.private_numbers().private_value.to_bytes(self._ecdsa.size))

    def sign(self, message: bytes) -> bytes:
        """r‖s."""
        return self._ecdsa.sign(self._key, message)


class Es256Signer(_EcdsaSigner):
    """A P-256 private key (RFC 7518 §3.4), made from its 32-byte scalar."""

    __slots__ = ()
    _ecdsa = ES256
    _algorithm: Algorithm = "ES256"

    @classmethod
    def generate(cls, random_bytes: Callable[[int], bytes]) -> "Es256Signer":
        """A new key from ``random_bytes``."""
        return cls(ES256.draw_scalar(random_bytes))


class Es384Signer(_EcdsaSigner):
    """A P-384 private key (RFC 7518 §3.4), made from its 48-byte scalar."""

    __slots__ = ()
    _ecdsa = ES384
    _algorithm: Algorithm = "ES384"

    @classmethod
    def generate(cls, random_bytes: Callable[[int], bytes]) -> "Es384Signer":
        """A new key from ``random_bytes``."""
        return cls(ES384.draw_scalar(random_bytes))


class Sm2Signer:
    """An SM2 private key (GB/T 32918), made from scalar ‖ X ‖ Y, 96 bytes; signs with the default signer ID.

    Raises MalformedError (``key.form``) if the halves do not belong together, UnavailableError (``extra.gm``).
    """

    __slots__ = ("_scalar", "public_key")

    def __init__(self, pair: Secret) -> None:
        scalar, raw = pair[: sm2.SIZE], bytes(pair[sm2.SIZE :])
        sm2.check_pair(scalar, raw)
        self._scalar = scalar
        self.public_key = PublicKey("SM2-SM3", raw)

    @classmethod
    def generate(cls, _random_bytes: Callable[[int], bytes]) -> "Sm2Signer":
        """A new key. gmssl draws it from the operating system; it takes no other source."""
        scalar, raw = sm2.generate()
        return cls(Secret(scalar + raw))

    def secret_bytes(self) -> Secret:
        """scalar ‖ X ‖ Y."""
        return Secret(self._scalar + self.public_key.raw)

    def sign(self, message: bytes) -> bytes:
        """r‖s, 64 bytes, with ZA of the default signer ID."""
        return sm2.sign(self._scalar, self.public_key.raw, message)


_SIGNERS: Final[dict[str, type[Ed25519Signer] | type[Es256Signer] | type[Es384Signer] | type[Sm2Signer]]] = {
    "Ed25519": Ed25519Signer,
    "ES256": Es256Signer,
    "ES384": Es384Signer,
    "SM2-SM3": Sm2Signer,
}


def generate_signer(algorithm: Algorithm, random_bytes: Callable[[int], bytes]) -> MemorySigner:
    """A new key of ``algorithm``; raises UnavailableError (``extra.gm``) for SM2 where gmssl-pyx is not installed."""
    return _SIGNERS[algorithm].generate(random_bytes)


def load_signer(algorithm: str, secret: Secret) -> MemorySigner:
    """The signer that ``secret_bytes`` was taken from; raises MalformedError (``key.form``, ``keyfile.kind``)."""
    if algorithm not in _SIGNERS:
        raise MalformedError("keyfile.kind", f"not a key that signs: its kind is none of {', '.join(_SIGNERS)}")
    return _SIGNERS[algorithm](secret)


def private_half(signer: MemorySigner) -> Secret:
    """The seed (Ed25519) or scalar alone: what stands in PKCS#8 and in a JWK's ``d``."""
    return signer.secret_bytes()[: ALGORITHMS[signer.public_key.algorithm].size]


def join_halves(algorithm: Algorithm, private: Secret, public: PublicKey | None, *, what: str) -> MemorySigner:
    """The signer of a private half as ``private_half`` gives it, and of the public one where the file has it.

    Raises MalformedError: ``key.form`` if the halves do not belong together, ``key.no-public-half`` for SM2 without
    its public half, which no library that we use computes.
    """
    if algorithm != "SM2-SM3":
        signer = load_signer(algorithm, private)
    elif public is not None and len(private) == sm2.SIZE:
        signer = load_signer(algorithm, Secret(private + public.raw))
    elif public is None:
        advice = "write it with its public key: openssl ec -in OLD -out NEW"
        raise MalformedError("key.no-public-half", f"{what}: this SM2 key comes without its public half; {advice}")
    else:
        raise MalformedError("key.form", f"{what}: an SM2 private key has {sm2.SIZE} bytes")
    if public is not None and signer.public_key != public:
        raise MalformedError("key.form", f"{what}: the public key is not that of the private key")
    return signer
