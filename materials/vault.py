"""Encrypted files in a folder, their data keys in the database (shell: touches the file system).

The order of effects makes every step repeatable: the ciphertext is durable under a random name (``FileSealer``) before
the transaction begins that keeps its key. One that is rolled back, or a process that is killed, leaves at most a file
that nothing can decrypt; ``FileVault.sweep`` removes it.
"""

import base64
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from materials.digesting import FileDigester
from materials.ids import MaterialId, RandomBytes
from materials.registry.ports import VaultKeys
from materials.registry.records import SealedFile, VaultObject
from materials.sealing import KEY_SIZE, decrypt_stream, encrypt_stream, open_blob, seal_blob, unwrap_key, wrap_key
from signing import UnavailableError, VerificationError, dump_json, json_strs, parse_json

_DISCLOSURES = "disclosures"
_TEMPORARY = ".tmp"
_MAX_DISCLOSURES_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class NewObject:
    """A data key and where it belongs."""

    object_id: str
    context: str
    key: bytes = field(repr=False)
    wrapped_key: bytes = field(repr=False)


class FileSealer:
    """See ``ports.FileSealer``; may be used by several threads.

    ``key_encryption_key`` is 32 secret bytes that live outside the database: neither the database nor the folder alone,
    nor both together, give up a file. Changing it means wrapping the data keys anew; no file is touched.
    """

    def __init__(self, folder: Path, *, key_encryption_key: bytes, random_bytes: RandomBytes) -> None:
        if len(key_encryption_key) != KEY_SIZE:
            raise VerificationError("vault.key", "the key-encryption key is not 32 bytes")
        self._folder = folder
        self._key_encryption_key = key_encryption_key
        self._random_bytes = random_bytes
        self._durable: set[Path] = set()
        """Folders whose own names this sealer has synced: those above them need not be synced for each file."""

    def seal_file(self, jti: MaterialId, number: int, source: BinaryIO) -> SealedFile:
        """See ``ports.FileSealer.seal_file``; raises UnavailableError ``vault.unavailable``."""
        new = self.new_object(jti, _file_part(number))
        reader = _DigestingReader(source)
        path = _path(self._folder, new.object_id)
        names_durable = path.parent in self._durable and path.parent.is_dir()
        _write_durably(path, encrypt_stream(new.key, reader, context=new.context), levels=1 if names_durable else 3)
        self._durable.add(path.parent)
        kept = VaultObject(new.object_id, jti, _file_part(number), new.wrapped_key, None)
        return SealedFile(kept, reader.digester.finish())

    def discard(self, sealed: Sequence[SealedFile]) -> None:
        """See ``ports.FileSealer.discard``. What can't be removed now is left to the sweep."""
        for each in sealed:
            with suppress(OSError):
                _path(self._folder, each.kept.object_id).unlink(missing_ok=True)

    def new_object(self, jti: MaterialId, part: str) -> NewObject:
        """A data key of its own, and the same wrapped for the row that will hold it."""
        object_id = base64.b32encode(self._random_bytes(20)).decode().lower()
        context = _context(object_id, jti, part)
        key = self._random_bytes(KEY_SIZE)
        wrapped = wrap_key(self._key_encryption_key, key, context=context, random_bytes=self._random_bytes)
        return NewObject(object_id, context, key, wrapped)


class FileVault:
    """``Vault`` over one folder and the key rows of one transaction; new files come from ``sealer``."""

    def __init__(self, folder: Path, keys: VaultKeys, *, key_encryption_key: bytes, random_bytes: RandomBytes) -> None:
        self.sealer = FileSealer(folder, key_encryption_key=key_encryption_key, random_bytes=random_bytes)
        self._folder = folder
        self._keys = keys
        self._key_encryption_key = key_encryption_key

    def keep_file(self, sealed: SealedFile) -> None:
        """See ``Vault.keep_file``."""
        self._keys.add(sealed.kept)

    def put_disclosures(self, jti: MaterialId, disclosures: Sequence[str]) -> None:
        """See ``Vault.put_disclosures``."""
        new = self.sealer.new_object(jti, _DISCLOSURES)
        sealed = seal_blob(new.key, dump_json(list(disclosures)), context=new.context)
        self._keys.add(VaultObject(new.object_id, jti, _DISCLOSURES, new.wrapped_key, sealed))

    def read_file(self, jti: MaterialId, number: int) -> Iterator[bytes]:
        """See ``Vault.read_file``."""
        stored, key = self._open_object(jti, _file_part(number))
        try:
            with _path(self._folder, stored.object_id).open("rb") as source:
                yield from decrypt_stream(key, source, context=_context(stored.object_id, stored.jti, stored.part))
        except FileNotFoundError:
            raise VerificationError("vault.missing", "the encrypted file is not in the vault folder") from None
        except OSError as error:
            raise _unavailable(error) from error

    def read_disclosures(self, jti: MaterialId) -> tuple[str, ...]:
        """See ``Vault.read_disclosures``."""
        stored, key = self._open_object(jti, _DISCLOSURES)
        if stored.sealed is None:
            raise VerificationError("vault.missing", "the encrypted disclosures are not in the database")
        plain = open_blob(key, stored.sealed, context=_context(stored.object_id, stored.jti, stored.part))
        return json_strs(
            parse_json(plain, what="disclosures", max_bytes=_MAX_DISCLOSURES_BYTES),
            what="disclosures",
            max_length=_MAX_DISCLOSURES_BYTES,
        )

    def erase(self, jti: MaterialId) -> None:
        """See ``Vault.erase``. The files themselves, now noise, go with the next sweep."""
        self._keys.destroy(jti)

    def sweep(self, *, created_before: int) -> int:
        """Delete files written before that time (Unix seconds) that no committed row has a key for; returns how many.

        Choose a time that no transaction still running began before: its rows are not visible here yet.
        """
        swept = 0
        for path in sorted(self._folder.glob("*/*")):
            old = path.stat().st_mtime < created_before
            if old and (path.suffix == _TEMPORARY or not self._keys.is_live(path.name)):
                path.unlink()
                swept += 1
        return swept

    def _open_object(self, jti: MaterialId, part: str) -> tuple[VaultObject, bytes]:
        stored = self._keys.find(jti, part)
        if stored is None:
            raise VerificationError("vault.missing", "the vault has no such object")
        if stored.wrapped_key is None:
            raise VerificationError("vault.erased", "the object was erased")
        return stored, unwrap_key(
            self._key_encryption_key, stored.wrapped_key, context=_context(stored.object_id, stored.jti, stored.part)
        )


def _path(folder: Path, object_id: str) -> Path:
    """Where the ciphertext of an object lies."""
    return folder / object_id[:2] / object_id


def _write_durably(path: Path, chunks: Iterator[bytes], *, levels: int) -> None:
    temporary = path.with_suffix(_TEMPORARY)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as target:
            for chunk in chunks:
                target.write(chunk)
            target.flush()
            os.fsync(target.fileno())
        temporary.rename(path)
        for directory in path.parents[:levels]:  # the file's name, and those of new folders
            _sync_directory(directory)
    except OSError as error:
        temporary.unlink(missing_ok=True)  # a full disk shall not stay full of it
        raise _unavailable(error) from error


class _DigestingReader:
    """Passes a stream through and digests what passes."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self.digester = FileDigester()

    def read(self, size: int, /) -> bytes:
        data = self._source.read(size)
        self.digester.update(data)
        return data


def _context(object_id: str, jti: str, part: str) -> str:
    """Binds ciphertext and key to their row: a row whose object was exchanged for another's does not open."""
    return f"{object_id} {jti} {part}"


def _file_part(number: int) -> str:
    return f"file/{number}"


def _unavailable(error: OSError) -> UnavailableError:
    return UnavailableError("vault.unavailable", f"the vault folder can't be written or read: {error.strerror}")


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
