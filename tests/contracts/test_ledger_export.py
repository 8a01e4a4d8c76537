"""Static export: what is in the directory is a whole log at every moment."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from ledger import (
    Checkpoint,
    RootHash,
    Tile,
    TileNodes,
    decode_bundle,
    leaf_hash,
    open_checkpoint,
    parse_tile_path,
    prove_inclusion,
    sign_checkpoint,
    tile_path,
    tile_width,
    tree_root,
    verify_inclusion,
)
from ledger.database import reading
from ledger.export import Exported, export_log
from ledger.files import write_file
from ledger.reading import LogReader
from ledger.store import SqlLog
from ledger.tables import checkpoints, entries, tiles
from signing import LedgerError, MalformedError, UnavailableError, VerificationError, sign_line
from tests.support.ledger_logs import (
    KEY,
    ORIGIN,
    POLICY,
    SIGNER,
    append,
    grow_to,
    new_log,
    numbered,
    replace_entry,
)
from tests.support.ledger_reference import mth


def export(engine: Engine, directory: Path, origin: str = ORIGIN) -> Exported:
    """One run."""
    with reading(engine).connect() as connection:
        return export_log(LogReader(connection, origin), directory)


def files(directory: Path) -> dict[str, bytes]:
    """Every file by its path."""
    return {
        str(path.relative_to(directory)): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()
    }


def read_log(directory: Path, size: int | None = None) -> list[bytes]:
    """Read a log from files alone, as a stranger would; fails unless all fits together."""
    head = open_checkpoint((directory / "checkpoint").read_bytes(), KEY)
    size = head.size if size is None else size
    nodes = TileNodes(size, lambda tile: (directory / tile_path(tile)).read_bytes())
    found: list[bytes] = []
    for index in range(-(-size // 256)):
        width = tile_width(0, index, size)
        found += decode_bundle((directory / tile_path(Tile("entries", index, width))).read_bytes(), width=width)
    assert tree_root(size, nodes) == mth(found)
    assert size != head.size or mth(found) == head.root
    for index in {0, size // 2, size - 1}:
        proof = prove_inclusion(index, size, nodes)
        root = RootHash(mth(found))
        verify_inclusion(index=index, size=size, leaf=leaf_hash(found[index]), proof=proof, root=root)
    return found


def test_export_of_70_files_and_again(engine: Engine, tmp_path: Path) -> None:
    new_log(engine)
    directory = tmp_path / "a" / "static"
    for size in (1, 3, 255, 256, 257, 700):
        if size > 1:
            with engine.connect() as connection:
                grown = LogReader(connection, ORIGIN).size()
            append(engine, numbered(grown, size))
        assert export(engine, directory).checkpoint.size == size
        assert read_log(directory) == [POLICY, *numbered(1, size)]
        before = {path: os.stat(directory / path).st_mtime_ns for path in files(directory)}
        assert export(engine, directory).files_written == 0
        assert {path: os.stat(directory / path).st_mtime_ns for path in files(directory)} == before
    for path in files(directory):
        assert path.startswith("checkpoint") or tile_path(parse_tile_path(path)) == path
    assert not list(directory.rglob("*.tmp"))


def test_partial_tiles_of_every_checkpoint_at_the_edge(engine: Engine, tmp_path: Path) -> None:
    new_log(engine)
    sizes = [2, 5, 256, 258, 300, 600, 601, 603]
    grown = 1
    for size in sizes:
        append(engine, numbered(grown, size))
        grown = size
    export(engine, tmp_path)
    found = files(tmp_path)
    assert [path for path in found if ".p/" in path] == [
        "tile/0/002.p/88",
        "tile/0/002.p/89",
        "tile/0/002.p/91",
        "tile/1/000.p/1",
        "tile/1/000.p/2",
        "tile/entries/002.p/88",
        "tile/entries/002.p/89",
        "tile/entries/002.p/91",
    ]
    for size in (600, 601, 603):
        assert read_log(tmp_path, size) == [POLICY, *numbered(1, size)]


@contextmanager
def failing_writes(monkeypatch: pytest.MonkeyPatch, after: int) -> Iterator[list[Path]]:
    """Let ``after`` files be written, then fail, as a full disk does."""
    written: list[Path] = []

    def write(path: Path, data: bytes) -> None:
        if len(written) == after:
            raise OSError(28, "no space left on device")
        written.append(path)
        write_file(path, data)

    with monkeypatch.context() as patched:
        patched.setattr("ledger.export.write_file", write)
        yield written


def test_cut_off_after_each_file(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new_log(engine)
    grow_to(engine, 200)
    export(engine, tmp_path)
    old = read_log(tmp_path)
    append(engine, numbered(200, 600))
    after, finished = 0, False
    order: list[Path] = []
    while not finished:
        with failing_writes(monkeypatch, after) as written:
            try:
                export(engine, tmp_path)
                finished = True
            except OSError:
                assert read_log(tmp_path) == old
        order += [path.relative_to(tmp_path) for path in written]
        after = 1
    assert order[-2:] == [Path("checkpoints/600"), Path("checkpoint")]
    levels = [path.parts[1] for path in order[:-2]]
    assert levels == sorted(levels, key=lambda level: (level != "entries", level))
    assert len(levels) > 5
    assert read_log(tmp_path) == [POLICY, *numbered(1, 600)]


def test_every_checkpoint_that_was_signed_is_there(engine: Engine, tmp_path: Path) -> None:
    new_log(engine)
    for start in (1, 3, 260):
        append(engine, numbered(start, {1: 3, 3: 260, 260: 261}[start]))
    export(engine, tmp_path)
    append(engine, numbered(261, 700))
    export(engine, tmp_path)
    history = {path: data for path, data in files(tmp_path).items() if path.startswith("checkpoints/")}
    with reading(engine).connect() as connection:
        log = LogReader(connection, ORIGIN)
        assert history == {f"checkpoints/{size}": log.checkpoint_at(size) for size in (1, 3, 260, 261, 700)}
    for path, note in history.items():
        assert f"checkpoints/{open_checkpoint(note, KEY).size}" == path


def test_the_history_of_an_older_export_is_filled_in(engine: Engine, tmp_path: Path) -> None:
    new_log(engine)
    append(engine, numbered(1, 3))
    export(engine, tmp_path)
    whole = files(tmp_path)
    shutil.rmtree(tmp_path / "checkpoints")
    assert export(engine, tmp_path).files_written == 2
    assert files(tmp_path) == whole


def test_a_checkpoint_that_got_another_signature_is_written_again(engine: Engine, tmp_path: Path) -> None:
    new_log(engine)
    export(engine, tmp_path)
    line = sign_line(b"other\n", name="example.gov/witness", signer=SIGNER)
    with engine.begin() as connection:
        note = connection.scalar(select(checkpoints.c.note))
        connection.execute(update(checkpoints).values(note=note + line))
    assert export(engine, tmp_path).files_written == 2
    assert files(tmp_path)["checkpoint"] == files(tmp_path)["checkpoints/1"] == note + line


@pytest.mark.parametrize("damaged", [b"rubbish", b"other tree", b"other size"])
def test_a_damaged_old_checkpoint_is_not_published(engine: Engine, tmp_path: Path, damaged: bytes) -> None:
    new_log(engine)
    append(engine, numbered(1, 3))
    notes = {
        b"other tree": sign_checkpoint(Checkpoint(ORIGIN, 1, RootHash(b"o" * 32)), SIGNER),
        b"other size": sign_checkpoint(Checkpoint(ORIGIN, 2, RootHash(b"o" * 32)), SIGNER),
    }
    with engine.begin() as connection:
        changed = update(checkpoints).where(checkpoints.c.size == 1)
        connection.execute(changed.values(note=notes.get(damaged, damaged)))
    with pytest.raises(VerificationError) as caught:
        export(engine, tmp_path)
    assert caught.value.code == "log.damaged"
    assert not (tmp_path / "checkpoint").exists()


def refused(engine: Engine, directory: Path, code: str, origin: str = ORIGIN) -> None:
    """An export that changes nothing."""
    before = files(directory)
    with pytest.raises(LedgerError) as caught:
        export(engine, directory, origin)
    assert caught.value.code == code
    assert files(directory) == before


def test_a_directory_of_another_log_or_tree_is_left_alone(engine: Engine, tmp_path: Path) -> None:
    new_log(engine)
    append(engine, [b"a"])
    other = "example.gov/other"
    new_log(engine, other)
    export(engine, tmp_path)
    refused(engine, tmp_path, "export.other-log", other)
    for size, code in ((1, "export.fork"), (2, "export.fork"), (3, "export.newer")):
        forged = Checkpoint(ORIGIN, size, RootHash(b"f" * 32))
        (tmp_path / "checkpoint").write_bytes(sign_checkpoint(forged, SIGNER))
        refused(engine, tmp_path, code)
    (tmp_path / "checkpoint").write_bytes(b"rubbish")
    with pytest.raises(MalformedError):
        export(engine, tmp_path)


def test_a_tile_with_other_content_is_left_alone(engine: Engine, tmp_path: Path) -> None:
    new_log(engine)
    (tmp_path / "tile/0/000.p").mkdir(parents=True)
    (tmp_path / "tile/0/000.p/1").write_bytes(b"other")
    with pytest.raises(VerificationError) as caught:
        export(engine, tmp_path)
    assert caught.value.code == "export.changed"
    assert not (tmp_path / "checkpoint").exists()


def run(engine: Engine, statement: Any) -> None:
    """One statement, committed."""
    with engine.begin() as connection:
        connection.execute(statement)


@pytest.mark.parametrize(
    "damage",
    [
        lambda engine: replace_entry(engine, 7, b"damaged"),
        lambda engine: replace_entry(engine, 270, b"damaged"),
        lambda engine: replace_entry(engine, 270, b"entry 270", b"d" * 32),
        lambda engine: run(engine, update(entries).values(entries=b"damaged")),
        lambda engine: run(engine, update(tiles).values(hashes=b"d" * 8192)),
        lambda engine: run(engine, update(tiles).values(root=b"d" * 32)),
    ],
)
def test_damage_is_not_published(engine: Engine, tmp_path: Path, damage: Callable[[Engine], None]) -> None:
    new_log(engine)
    grow_to(engine, 300)
    damage(engine)
    with pytest.raises(VerificationError) as caught:
        export(engine, tmp_path)
    assert caught.value.code == "log.damaged"
    assert not (tmp_path / "checkpoint").exists()


def test_two_exporters_do_not_mix(engine: Engine, tmp_path: Path) -> None:
    new_log(engine)
    descriptor = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(UnavailableError) as caught:
        export(engine, tmp_path)
    assert caught.value.code == "export.busy"
    os.close(descriptor)
    assert export(engine, tmp_path).checkpoint.size == 1


def test_an_uncommitted_append_is_not_exported(engine: Engine, tmp_path: Path) -> None:
    new_log(engine)
    with engine.connect() as connection:
        SqlLog(connection, ORIGIN).append([b"a"], signer=SIGNER, known_head=None)
        assert export(engine, tmp_path).checkpoint.size == 1
        connection.rollback()
