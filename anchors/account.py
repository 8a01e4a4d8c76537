"""Accounts of the chain: the port through which transactions are signed, wherever the key lives."""

from collections.abc import Callable
from functools import cache
from typing import Final, Protocol

from eth_hash.auto import keccak
from eth_keys.datatypes import PrivateKey, Signature
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError

from signing import MalformedError, Secret, VerificationError

ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Of the base point of secp256k1."""

_SIZE: Final = 32


class Account(Protocol):
    """A secp256k1 key that pays for transactions: in memory, or in an HSM (``signing.hsm``).

    The private key never leaves it. ``sign_digest`` may be called concurrently, and again with the same digest: what
    it returns need not be the same. It raises UnavailableError if the key can't be reached now.
    """

    @property
    def public_point(self) -> bytes:
        """X‖Y of the public key, 64 bytes."""

    def sign_digest(self, digest: bytes) -> bytes:
        """ECDSA over a 32-byte digest: r‖s, 64 bytes, with either s."""


class MemoryAccount:
    """An account whose 32-byte secret is in memory. RFC 6979: the same digest gives the same signature.

    Raises MalformedError (``anchor.key``) unless the secret is from 1 to n−1.
    """

    __slots__ = ("_secret", "public_point")

    def __init__(self, secret: Secret) -> None:
        if len(secret) != _SIZE or not 0 < int.from_bytes(secret) < ORDER:
            raise MalformedError("anchor.key", "anchor key: not a secp256k1 secret of 32 bytes")
        self._secret = secret
        self.public_point: bytes = PrivateKey(secret).public_key.to_bytes()

    def sign_digest(self, digest: bytes) -> bytes:
        """r‖s with the lower s; raises MalformedError (``form.size``) unless the digest has 32 bytes."""
        if len(digest) != _SIZE:
            raise MalformedError("form.size", "a digest to sign has 32 bytes")
        return PrivateKey(self._secret).sign_msg_hash(digest).to_bytes()[: 2 * _SIZE]


def account_address(account: Account) -> bytes:
    """The 20 bytes by which the chain knows an account (Yellow Paper, appendix F)."""
    return keccak(account.public_point)[-20:]


def recover_address(digest: bytes, r: int, s: int, parity: int) -> bytes | None:
    """The address that signed ``digest``; None if no key can have. Only the lower s is taken (EIP-2)."""
    if parity not in (0, 1) or not 0 < r < ORDER or not 0 < s <= ORDER // 2:
        return None
    point = _recovery()(digest, r, s, parity)
    return None if point is None else keccak(point)[-20:]


@cache
def _recovery() -> Callable[[bytes, int, int, int], bytes | None]:
    """Recovery of X‖Y: by the extra ``fast`` with no layer between, or as eth-keys does it."""
    try:
        from coincurve import PublicKey
    except ImportError:
        return recover_by_eth_keys

    def recover(digest: bytes, r: int, s: int, parity: int) -> bytes | None:
        seal = r.to_bytes(_SIZE, "big") + s.to_bytes(_SIZE, "big") + bytes((parity,))
        try:
            return PublicKey.from_signature_and_message(seal, digest, hasher=None).format(compressed=False)[1:]
        except ValueError:
            return None

    return recover


def recover_by_eth_keys(digest: bytes, r: int, s: int, parity: int) -> bytes | None:
    """X‖Y of the key that signed; None if no key can have. For r and s in range."""
    try:
        return Signature(vrs=(parity, r, s)).recover_public_key_from_msg_hash(digest).to_bytes()
    except (BadSignature, ValidationError, ValueError):
        return None


def sign_recoverable(account: Account, digest: bytes) -> tuple[int, int, int]:
    """r, the lower s, and the parity with which the account's address is recovered from them.

    Raises VerificationError (``anchor.signature``) if what the account returns is not its signature, UnavailableError
    if the key can't be reached.
    """
    signature = account.sign_digest(digest)
    r, s = int.from_bytes(signature[:_SIZE]), int.from_bytes(signature[_SIZE:])
    s, address = min(s, ORDER - s), account_address(account)
    for parity in (0, 1):
        if recover_address(digest, r, s, parity) == address:
            return r, s, parity
    raise VerificationError("anchor.signature", "the account's key returned a signature that is not its own")
