"""The vault folder: what is stored, found, erased and swept, and that memory stays bounded."""

import io
import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest
from sqlalchemy import Connection, Engine, update

import materials.store.tables as tables
from materials.ids import MaterialId
from materials.store.metadata import metadata
from materials.store.vault_keys import SqlVaultKeys
from materials.vault import FileSealer, FileVault
from signing import FileDigests, VerificationError, digest_bytes

JTI, OTHER = MaterialId("em-1"), MaterialId("em-2")
KEY = b"k" * 32


@pytest.fixture
def conn(engine: Engine) -> Iterator[Connection]:
    with engine.begin() as conn:
        metadata.create_all(conn)
        yield conn


def open_vault(conn: Connection, folder: Path, key: bytes = KEY) -> FileVault:
    return FileVault(folder, SqlVaultKeys(conn), key_encryption_key=key, random_bytes=os.urandom)


def put_file(vault: FileVault, jti: MaterialId, number: int, source: BinaryIO) -> FileDigests:
    """Seal and keep."""
    sealed = vault.sealer.seal_file(jti, number, source)
    vault.keep_file(sealed)
    return sealed.digests


def code_of(vault: FileVault, number: int = 0) -> str:
    with pytest.raises(VerificationError) as error:
        list(vault.read_file(JTI, number))
    return error.value.code


def test_files_and_disclosures_come_back(conn: Connection, tmp_path: Path) -> None:
    vault = open_vault(conn, tmp_path / "new" / "vault")
    assert put_file(vault, JTI, 0, io.BytesIO(b"one")) == digest_bytes(b"one")
    assert put_file(vault, JTI, 1, io.BytesIO(b"")) == digest_bytes(b"")
    vault.put_disclosures(JTI, ["甲", "b"])
    assert b"".join(vault.read_file(JTI, 0)) == b"one"
    assert b"".join(vault.read_file(JTI, 1)) == b""
    assert vault.read_disclosures(JTI) == ("甲", "b")
    assert code_of(vault, 2) == "vault.missing"


def test_a_key_of_another_length_is_refused(conn: Connection, tmp_path: Path) -> None:
    with pytest.raises(VerificationError):
        open_vault(conn, tmp_path, b"short")


def test_another_key_opens_nothing(conn: Connection, tmp_path: Path) -> None:
    put_file(open_vault(conn, tmp_path), JTI, 0, io.BytesIO(b"one"))
    assert code_of(open_vault(conn, tmp_path, b"j" * 32)) == "vault.altered"


def test_a_lost_file_is_missing_and_a_changed_one_altered(conn: Connection, tmp_path: Path) -> None:
    vault = open_vault(conn, tmp_path)
    put_file(vault, JTI, 0, io.BytesIO(b"one"))
    (path,) = tmp_path.glob("*/*")
    data = path.read_bytes()
    for position in range(len(data)):
        path.write_bytes(data[:position] + bytes([data[position] ^ 64]) + data[position + 1 :])
        assert code_of(vault) == "vault.altered"
    path.write_bytes(data[:-1])
    assert code_of(vault) == "vault.altered"
    path.unlink()
    assert code_of(vault) == "vault.missing"


@pytest.mark.parametrize("column", ["object_id", "wrapped_key", "sealed"])
def test_values_can_not_be_exchanged_between_rows(conn: Connection, tmp_path: Path, column: str) -> None:
    vault = open_vault(conn, tmp_path)
    vault.put_disclosures(JTI, ["one"])
    vault.put_disclosures(OTHER, ["two"])
    table = tables.material_vault_object
    other = SqlVaultKeys(conn).find(OTHER, "disclosures")
    conn.execute(table.delete().where(table.c.jti == OTHER))
    conn.execute(update(table).where(table.c.jti == JTI).values({column: getattr(other, column)}))
    with pytest.raises(VerificationError) as error:
        vault.read_disclosures(JTI)
    assert error.value.code == "vault.altered"


def test_erased_is_gone_for_good(conn: Connection, tmp_path: Path) -> None:
    vault = open_vault(conn, tmp_path)
    put_file(vault, JTI, 0, io.BytesIO(b"one"))
    put_file(vault, OTHER, 0, io.BytesIO(b"two"))
    vault.put_disclosures(JTI, ["x"])
    for _ in range(2):
        vault.erase(JTI)
    assert code_of(vault) == "vault.erased"
    with pytest.raises(VerificationError) as error:
        vault.read_disclosures(JTI)
    assert error.value.code == "vault.erased"
    assert vault.sweep(created_before=2**40) == 1
    assert b"".join(vault.read_file(OTHER, 0)) == b"two"


def test_a_sealed_file_is_nothing_until_it_is_kept_and_can_be_discarded(conn: Connection, tmp_path: Path) -> None:
    vault = open_vault(conn, tmp_path)
    kept, other = (vault.sealer.seal_file(JTI, number, io.BytesIO(b"one")) for number in range(2))
    assert (code_of(vault), len(list(tmp_path.glob("*/*")))) == ("vault.missing", 2)
    vault.keep_file(kept)
    for _ in range(2):
        vault.sealer.discard([other])
    assert b"".join(vault.read_file(JTI, 0)) == b"one"
    assert len(list(tmp_path.glob("*/*"))) == 1


def test_a_new_folder_and_those_above_it_are_synced_once(
    conn: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    folder = tmp_path / "vault"
    sealer = FileSealer(folder, key_encryption_key=KEY, random_bytes=lambda size: bytes(size - 1) + os.urandom(1))
    first = sealer.seal_file(JTI, 0, io.BytesIO(b"one"))
    inner = next(folder.iterdir())
    assert synced[1:] == [str(inner), str(folder), str(tmp_path)]
    synced.clear()
    again = sealer.seal_file(JTI, 1, io.BytesIO(b"two"))
    assert synced[1:] == [str(inner)]
    sealer.discard([first, again])
    inner.rmdir()
    synced.clear()
    sealer.seal_file(JTI, 2, io.BytesIO(b"three"))
    assert synced[1:] == [str(inner), str(folder), str(tmp_path)]


def test_the_sweep_takes_only_old_orphans(conn: Connection, tmp_path: Path) -> None:
    vault = open_vault(conn, tmp_path)
    put_file(vault, JTI, 0, io.BytesIO(b"one"))
    (kept,) = tmp_path.glob("*/*")
    orphan, unfinished = kept.parent / "orphan", kept.parent / "half.tmp"
    for path in (orphan, unfinished):
        path.write_bytes(b"noise")
    os.utime(kept, (10, 10))
    os.utime(orphan, (10, 10))
    assert vault.sweep(created_before=10) == 0
    assert vault.sweep(created_before=11) == 1
    assert (orphan.exists(), unfinished.exists(), kept.exists()) == (False, True, True)
    assert vault.sweep(created_before=2**40) == 1


def test_a_large_file_takes_little_memory(conn: Connection, tmp_path: Path) -> None:
    size = 32 << 20

    class Zeros(io.RawIOBase):
        left = size

        def readable(self) -> bool:
            return True

        def readinto(self, buffer) -> int:
            count = min(len(buffer), self.left)
            buffer[:count] = bytes(count)
            self.left -= count
            return count

    vault = open_vault(conn, tmp_path)
    tracemalloc.start()
    stored = put_file(vault, JTI, 0, io.BufferedReader(Zeros()))
    read = sum(len(chunk) for chunk in vault.read_file(JTI, 0))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert stored.size == read == size
    assert peak < 12 << 20
