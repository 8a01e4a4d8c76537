"""The keys that this workspace holds: in encrypted files, or in an HSM; opened when first needed.

Names say owner and role, as in ``uscc:11310110MB9F000199.issue``; ``home.*`` are the service's own. Keys are only ever
added, none is renamed, replaced or removed: a successor's name ends with its key id (``names.successor_key``). Which
key signs is for the trust list to say (``current_keys``).
"""

import hmac
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, cast

from anchors.account import Account, MemoryAccount, account_address
from api import clock, names
from api.keys.hsm import Hsm
from api.keys.hsm_reference import HsmReference, read_reference
from api.keys.passphrases import check_private
from signing import (
    ALGORITHM_NAMES,
    Algorithm,
    KeyId,
    MalformedError,
    MemorySigner,
    PublicKey,
    Secret,
    Signer,
    UnavailableError,
    generate_signer,
)
from signing.keyfile import open_key_file, seal_secret, signer_of, write_key_file

KeyKind = Algorithm | Literal["secp256k1", "secret"]
_NAME: Final = re.compile(r"\w[\w.:-]{0,58}\w(?:\.[A-Za-z0-9_-]{43})?")
_ENTITY: Final = "uscc"


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What may be known of a key: ``public_key`` of those that sign, ``address`` of chain accounts; secrets have none.

    ``label`` is the key's in the HSM; None if it is in a file.
    """

    name: str
    kind: KeyKind
    public_key: PublicKey | None
    address: bytes | None
    label: str | None


class Keyring:
    """The keys of one folder under one passphrase, and those of the HSM. Safe for use by several threads."""

    def __init__(self, folder: Path, passphrase: Secret, hsm: Hsm | None = None) -> None:
        self._folder = folder
        self._passphrase = passphrase
        self._hsm = hsm
        self._open: dict[str, tuple[str, Secret]] = {}
        self._signers: dict[str, MemorySigner] = {}

    def __contains__(self, name: str) -> bool:
        return self._file(name).exists() or self._reference_file(name).exists()

    def names(self) -> list[str]:
        """The names of all keys held, sorted."""
        files = [path.stem for pattern in ("*.key", "*.hsm") for path in self._folder.glob(pattern)]
        return sorted(f"{_ENTITY}:{stem[5:]}" if stem.startswith(f"{_ENTITY}_") else stem for stem in files)

    def create(self, name: str, kind: KeyKind, *, in_hsm: bool = False) -> None:
        """Make a new key or 32-byte secret under ``name``, in a file or in the HSM.

        Raises MalformedError (``keyfile.exists``, ``keyfile.name``), UnavailableError (``hsm.*``).
        """
        if name in self:
            raise MalformedError("keyfile.exists", f"key {name}: exists already")
        if in_hsm:
            self._write_reference(name, self._generate(name, kind))
            return
        if kind == "secp256k1" or kind == "secret":
            secret = Secret(clock.random_bytes(32))
        else:
            secret = generate_signer(kind, clock.random_bytes).secret_bytes()
        self.store(name, kind, secret)

    def create_next(self, name: str, kind: Algorithm, *, in_hsm: bool = False) -> str:
        """Make a further key for what ``name`` is for; its name. Raises as ``create`` does."""
        if in_hsm:
            reference = self._generate(name, kind)
            new = names.successor_key(name, cast(PublicKey, reference.public).key_id)
            self._write_reference(new, reference)
            return new
        signer = generate_signer(kind, clock.random_bytes)
        new = names.successor_key(name, signer.public_key.key_id)
        self.store(new, kind, signer.secret_bytes())
        return new

    def store(self, name: str, kind: KeyKind, secret: Secret) -> None:
        """Keep a secret that was made elsewhere.

        Raises MalformedError (``keyfile.exists``), VerificationError (``keyfile.passphrase``) if the passphrase is not
        that of the keys held.
        """
        self._check_passphrase()
        data = seal_secret(secret, self._passphrase, kind=kind, random_bytes=clock.random_bytes)
        write_key_file(self._file(name), data)

    def facts(self, name: str) -> KeyFacts:
        """What may be known of a key, of one in the HSM without asking it; raises as ``signer`` does."""
        reference = self._reference(name)
        if reference is None:
            kind, secret = self._secret(name)
            public = self._memory_signer(name).public_key if kind in ALGORITHM_NAMES else None
            address = account_address(MemoryAccount(secret)) if kind == "secp256k1" else None
            return KeyFacts(name, cast(KeyKind, kind), public, address, None)
        if isinstance(reference.public, PublicKey):
            return KeyFacts(name, reference.kind, reference.public, None, reference.label)
        return KeyFacts(name, reference.kind, None, reference.address, reference.label)

    def public_key(self, name: str) -> PublicKey:
        """The public key of a key that signs; raises as ``facts`` does, and MalformedError (``keyfile.kind``)."""
        public = self.facts(name).public_key
        if public is None:
            raise MalformedError("keyfile.kind", f"key {name}: not a key that signs statements, lists or notes")
        return public

    def find(self, name: str, key_id: KeyId) -> str | None:
        """The name of the key with this id among the key ``name`` and its successors; None if it is not held."""
        first, successor = names.first_key(name), names.successor_key(name, key_id)
        if successor in self:
            return successor
        public = self.facts(first).public_key if first in self else None
        return first if public is not None and public.key_id == key_id else None

    def signer(self, name: str) -> Signer:
        """The signer called ``name``.

        Raises UnavailableError (``keyfile.missing``, ``hsm.*``), VerificationError (``keyfile.passphrase``,
        ``hsm.key-differs``), RefusedError (``keyfile.permissions``), MalformedError (``keyfile.kind`` and others).
        """
        reference = self._reference(name)
        return self._memory_signer(name) if reference is None else self._token(name).signer(reference)

    def account(self, name: str) -> Account:
        """The chain account called ``name``; raises as ``signer`` does, MalformedError (``anchor.key``)."""
        reference = self._reference(name)
        return MemoryAccount(self._secret(name)[1]) if reference is None else self._token(name).account(reference)

    def secret(self, name: str) -> Secret:
        """The 32 bytes of the secret called ``name``; raises as ``signer`` does."""
        return self._secret(name)[1]

    def connect(self) -> None:
        """Log in to the HSM now if a key is in it: a service does not wait for its first signature to find out."""
        if self._hsm is not None and any(self._folder.glob("*.hsm")):
            self._hsm.connect()

    def close(self) -> None:
        """Log out of the HSM."""
        if self._hsm is not None:
            self._hsm.close()

    def _check_passphrase(self) -> None:
        """All files have one passphrase: none is to be sealed under a mistyped one."""
        held = sorted(path.stem for path in self._folder.glob("*.key"))
        if held and not self._open:
            self._secret(held[0])

    def _secret(self, name: str) -> tuple[str, Secret]:
        if name not in self._open:
            path = self._file(name)
            check_private(path)
            self._open[name] = open_key_file(path, self._passphrase)
        return self._open[name]

    def _memory_signer(self, name: str) -> MemorySigner:
        if name not in self._signers:
            self._signers[name] = signer_of(*self._secret(name))
        return self._signers[name]

    def _reference(self, name: str) -> HsmReference | None:
        """None if the key is in a file."""
        return None if name in self._open else read_reference(self._reference_file(name))

    def _token(self, name: str) -> Hsm:
        if self._hsm is None:
            message = f"key {name} is in an HSM: name its module and token in the settings, section [hsm]"
            raise UnavailableError("hsm.not-configured", message)
        return self._hsm

    def _generate(self, name: str, kind: KeyKind) -> HsmReference:
        """Make a key in the HSM. If this run ends before the reference is written, the token keeps an unused key."""
        label = f"{names.first_key(name)}.{clock.random_bytes(4).hex()}"
        return self._token(name).generate(label, kind)

    def _write_reference(self, name: str, reference: HsmReference) -> None:
        write_key_file(self._reference_file(name), reference.format())

    def _file(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise MalformedError("keyfile.name", "key name: not 1 to 60 letters, digits, hyphens, dots or underscores")
        return self._folder / f"{name.replace(':', '_', 1)}.key"

    def _reference_file(self, name: str) -> Path:
        return self._file(name).with_suffix(".hsm")


def derived_secret(secret: Secret, purpose: str) -> Secret:
    """A 32-byte secret of its own for each purpose, from one stored secret (HMAC-SHA-256)."""
    return Secret(hmac.digest(secret, f"ematerials/{purpose}/v1".encode(), "sha256"))
