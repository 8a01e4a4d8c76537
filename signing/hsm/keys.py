"""The keys of one token: found by label, proved to be a pair, used for signing; new ones never leave it."""

from dataclasses import dataclass
from typing import Any, Final

from pkcs11 import Attribute, MechanismFlag, ObjectClass
from pkcs11.exceptions import KeyHandleInvalid

from signing.algorithms import Algorithm
from signing.digests import sha256
from signing.errors import MalformedError, RefusedError, UnavailableError, VerificationError
from signing.hsm import HsmKey, KeyKind
from signing.hsm.kinds import KINDS, SECP256K1, Kind, kind_of, raw_point
from signing.hsm.session import Opened, TokenSession
from signing.keys import PublicKey

LABEL_MAX: Final = 64
_PROBE: Final = sha256(b"ematerials/hsm-probe/v1\n")  # of a digest's length, for the kind that signs digests


def _check_label(label: str) -> str:
    if not 0 < len(label) <= LABEL_MAX or not label.isprintable():
        raise MalformedError("hsm.label", f"key label: not 1 to {LABEL_MAX} printable characters")
    return label


@dataclass(frozen=True, slots=True)
class _Pair:
    """A private key in the token and its public half, which has verified a signature of it."""

    private: Any
    kind: KeyKind
    raw: bytes


def _sign(private: Any, kind: Kind, message: bytes) -> bytes:
    signature: bytes = private.sign(kind.prepare(message), mechanism=kind.mechanism)
    if len(signature) != kind.signature_size:
        raise UnavailableError("hsm.unavailable", "the token's answer is not a signature of this algorithm")
    return signature


def _find_pair(opened: Opened, label: str) -> _Pair:
    """The pair of that label. A signature is asked for, so that no public key is used that is not the private one's."""
    halves = [opened.search(half, label) for half in (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY)]
    if not all(halves):
        raise UnavailableError("hsm.key-missing", f"the token has no key pair with the label {label!r}")
    if any(len(half) > 1 for half in halves):
        raise VerificationError("hsm.key-ambiguous", f"the token has several keys with the label {label!r}")
    (private,), (public,) = halves
    name = kind_of(private)
    if name is None or name != kind_of(public):
        raise RefusedError("hsm.key-kind", f"the key {label!r} is of no kind that is used here")
    kind = KINDS[name]
    raw = raw_point(public[Attribute.EC_POINT], kind)
    if not kind.is_point(raw) or not kind.verifies(raw, _sign(private, kind, _PROBE), _PROBE):
        raise VerificationError("hsm.key-pair", f"the two halves of the key {label!r} do not belong together")
    return _Pair(private, name, raw)


def _generate(opened: Opened, label: str, kind: Kind) -> None:
    if any(opened.search(half, label) for half in (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY)):
        raise MalformedError("hsm.exists", f"the token has a key with the label {label!r} already")
    token = opened.session.token
    if kind.generation not in token.slot.get_mechanisms():
        raise UnavailableError("hsm.algorithm", "this token can't make keys of that algorithm")
    with token.open(rw=True) as writing:  # the login holds for all sessions of the process
        domain = writing.create_domain_parameters(kind.key_type, {Attribute.EC_PARAMS: kind.params[0]}, local=True)
        domain.generate_keypair(
            id=writing.generate_random(128),
            label=label,
            store=True,
            mechanism=kind.generation,
            capabilities=MechanismFlag.SIGN | MechanismFlag.VERIFY,
            private_template={Attribute.PRIVATE: True, Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False},
        )


class _TokenKey:
    """A key of the token. It is found again in a new session, and has to be the same key then."""

    __slots__ = ("_label", "_session", "kind", "raw")

    def __init__(self, session: TokenSession, label: str) -> None:
        self._session, self._label = session, _check_label(label)
        self.kind, self.raw = session.run(self._find)

    def sign(self, message: bytes) -> bytes:
        """A signature that this key's public half verifies: of the message, or for secp256k1 of a digest."""
        return self._session.run(lambda opened: self._sign(opened, message))

    def _sign(self, opened: Opened, message: bytes) -> bytes:
        signature = _sign(self._private(opened), KINDS[self.kind], message)
        if not KINDS[self.kind].verifies(self.raw, signature, message):
            raise KeyHandleInvalid  # handles are numbers: after a restart that we missed, this one is another key's
        return signature

    def _private(self, opened: Opened) -> Any:
        if self._label not in opened.keys and self._find(opened) != (self.kind, self.raw):
            del opened.keys[self._label]
            raise VerificationError("hsm.key-differs", f"another key has the label {self._label!r} now")
        return opened.keys[self._label]

    def _find(self, opened: Opened) -> tuple[KeyKind, bytes]:
        pair = _find_pair(opened, self._label)
        opened.keys[self._label] = pair.private
        return pair.kind, pair.raw


class Pkcs11Signer:
    """A ``Signer`` whose key is in a token."""

    __slots__ = ("_key", "public_key")

    def __init__(self, key: _TokenKey, algorithm: Algorithm) -> None:
        self._key = key
        self.public_key = PublicKey(algorithm, key.raw)

    def sign(self, message: bytes) -> bytes:
        """See ``signing.keys.Signer``; pure Ed25519, or ECDSA over the digest that is computed here."""
        return self._key.sign(message)


class Pkcs11Account:
    """An ``HsmAccount``."""

    __slots__ = ("_key", "public_point")

    def __init__(self, key: _TokenKey) -> None:
        self._key = key
        self.public_point = key.raw

    def sign_digest(self, digest: bytes) -> bytes:
        """r‖s, with either s; raises MalformedError (``form.size``) unless the digest has 32 bytes."""
        if len(digest) != SECP256K1.size:
            raise MalformedError("form.size", "a digest to sign has 32 bytes")
        return self._key.sign(digest)


class Pkcs11Token:
    """The ``HsmToken`` of a session."""

    def __init__(self, session: TokenSession) -> None:
        self._session = session

    def list_keys(self) -> tuple[HsmKey, ...]:
        """See ``HsmToken``."""
        return self._session.run(_list)

    def generate(self, label: str, kind: str) -> None:
        """See ``HsmToken``."""
        _check_label(label)
        row = next((row for name, row in KINDS.items() if name == kind), None)
        if row is None:
            message = f"no key of {kind} can be kept in a PKCS#11 token (for SM2 it has only vendors' own mechanisms)"
            raise UnavailableError("hsm.algorithm", message)
        self._session.run(lambda opened: _generate(opened, label, row))

    def signer(self, label: str) -> Pkcs11Signer:
        """See ``HsmToken``."""
        key = _TokenKey(self._session, label)
        if key.kind == "secp256k1":
            raise RefusedError("hsm.key-kind", f"the key {label!r} is a chain account's, not a signing key")
        return Pkcs11Signer(key, key.kind)

    def account(self, label: str) -> Pkcs11Account:
        """See ``HsmToken``."""
        key = _TokenKey(self._session, label)
        if key.kind != "secp256k1":
            raise RefusedError("hsm.key-kind", f"the key {label!r} is a signing key, not a chain account's")
        return Pkcs11Account(key)

    def close(self) -> None:
        """See ``HsmToken``."""
        self._session.close()


def _list(opened: Opened) -> tuple[HsmKey, ...]:
    found = [
        HsmKey(private[Attribute.LABEL], kind)
        for private in opened.search(ObjectClass.PRIVATE_KEY)
        if (kind := kind_of(private)) is not None
    ]
    return tuple(sorted(found, key=lambda key: key.label))
