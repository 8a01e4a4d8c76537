"""The HSM of a workspace: one token, opened when a key in it is first needed."""

from pathlib import Path
from threading import Lock
from typing import TypeVar, cast

from anchors.account import Account
from api.keys.hsm_reference import HsmReference
from api.keys.passphrases import read_pin
from api.settings import HsmSettings
from signing import PublicKey, Signer, VerificationError
from signing.hsm import HsmToken, KeyKind, open_token

K = TypeVar("K")


class Hsm:
    """The token that the settings name. Safe for use by several threads; the PIN is asked for at most once."""

    def __init__(self, settings: HsmSettings, workspace: Path) -> None:
        self._settings = settings
        self._pin_file = None if settings.pin_file is None else workspace / settings.pin_file
        self._lock = Lock()
        self._token: HsmToken | None = None
        self._signers: dict[str, Signer] = {}

    def connect(self) -> HsmToken:
        """The token, logged in to; raises UnavailableError and VerificationError (``hsm.*``)."""
        with self._lock:
            if self._token is None:
                self._token = open_token(Path(self._settings.module), self._settings.token, read_pin(self._pin_file))
            return self._token

    def signer(self, reference: HsmReference) -> Signer:
        """The key of ``reference``; raises as ``connect``, and VerificationError (``hsm.key-differs``).

        Looked for in the token once: it outlasts lost sessions by itself.
        """
        signer = self._signers.get(reference.label) or self.connect().signer(reference.label)
        self._signers[reference.label] = signer
        return _same(signer, signer.public_key, reference)

    def account(self, reference: HsmReference) -> Account:
        """The chain account's key of ``reference``; raises as ``signer``."""
        account = self.connect().account(reference.label)
        return _same(account, account.public_point, reference)

    def generate(self, label: str, kind: str) -> HsmReference:
        """Make a key in the token, where it stays; raises as ``connect`` (``hsm.algorithm``: not a kind for tokens)."""
        token = self.connect()
        token.generate(label, kind)
        public = token.account(label).public_point if kind == "secp256k1" else token.signer(label).public_key
        return HsmReference(cast(KeyKind, kind), label, public)

    def close(self) -> None:
        """Log out; a later use logs in again."""
        with self._lock:
            if self._token is not None:
                self._token.close()
            self._token = None
            self._signers.clear()


def _same(key: K, public: PublicKey | bytes, reference: HsmReference) -> K:
    if public != reference.public:
        raise VerificationError(
            "hsm.key-differs", f"the HSM's key {reference.label} is not the one kept beside the keys"
        )
    return key
