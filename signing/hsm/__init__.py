"""Keys that live in a PKCS#11 token (v2.40 and v3.0): an HSM, a USB token, SoftHSM2. Needs the extra ``hsm``.

A token holds Ed25519, ES256 and ES384 keys as Signers, and secp256k1 keys for chain accounts. SM2 it does not: PKCS#11
has no mechanism for it, each vendor has its own.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal, Protocol, get_args

from signing.errors import UnavailableError
from signing.keys import Signer
from signing.secret import Secret

KeyKind = Literal["Ed25519", "ES256", "ES384", "secp256k1"]
"""What a token can hold for us: three signature algorithms, and the curve of chain accounts."""

KEY_KINDS: Final[tuple[KeyKind, ...]] = get_args(KeyKind)


@dataclass(frozen=True, slots=True)
class HsmKey:
    """A private key in a token, as ``HsmToken.list_keys`` lists it."""

    label: str
    kind: KeyKind


class HsmAccount(Protocol):
    """A secp256k1 key in a token, for an account of a chain (``anchors.account.Account``)."""

    @property
    def public_point(self) -> bytes:
        """X‖Y of the public key, 64 bytes."""

    def sign_digest(self, digest: bytes) -> bytes:
        """ECDSA over a 32-byte digest: r‖s, 64 bytes, with either s; raises as ``HsmToken.signer``'s ``sign``."""


class HsmToken(Protocol):
    """A token that this process is logged in to. Safe for use by several threads.

    A session that was lost (token pulled out, restarted, logged out) is opened again, once for each call. All methods
    but ``close`` raise UnavailableError (``hsm.unavailable``, ``hsm.token``, ``hsm.forked``) and VerificationError
    (``hsm.pin``, ``hsm.pin-final-try``, ``hsm.pin-locked``); so do the keys that they return.
    """

    def list_keys(self) -> tuple[HsmKey, ...]:
        """The private keys that it could use for us, sorted by label; keys of other kinds are left out."""

    def generate(self, label: str, kind: str) -> None:
        """Make a key pair in the token: kept there, sensitive, never to be extracted.

        ``kind`` is a ``KeyKind``. Raises MalformedError (``hsm.label``; ``hsm.exists``, also if a call whose session
        was lost had made the key), UnavailableError (``hsm.algorithm``: SM2, or what this token can't do).
        """

    def signer(self, label: str) -> Signer:
        """The signing key of that label; its halves were proved to belong together.

        Raises MalformedError (``hsm.label``), UnavailableError (``hsm.key-missing``), VerificationError
        (``hsm.key-ambiguous``, ``hsm.key-pair``), RefusedError (``hsm.key-kind``). ``sign`` raises VerificationError
        (``hsm.key-differs``) if after a lost session another key has the label.
        """

    def account(self, label: str) -> HsmAccount:
        """The chain account's key of that label; raises as ``signer``."""

    def close(self) -> None:
        """Log out. A later use logs in again."""


def open_token(module: Path, label: str, pin: Secret) -> HsmToken:
    """Log in to the token called ``label`` through the vendor's library ``module``, with one attempt.

    A process has one login for each token: the same ``pin`` shares it. A PIN that the token refused is not tried again
    in this process, by whatever object, and none is tried while the token warns of the last attempt. The token has to
    be opened in the process that uses it: after ``fork`` the child is refused.

    Raises UnavailableError (``extra.hsm``, ``hsm.module``, ``hsm.token``, ``hsm.forked``, ``hsm.unavailable``),
    VerificationError (``hsm.pin``, ``hsm.pin-final-try``, ``hsm.pin-locked``).
    """
    if find_spec("pkcs11") is None:
        raise UnavailableError("extra.hsm", "keys in an HSM need the extra 'hsm': pip install 'ematerials[hsm]'")
    from signing.hsm.keys import Pkcs11Token
    from signing.hsm.session import open_session

    return Pkcs11Token(open_session(module, label, pin))
