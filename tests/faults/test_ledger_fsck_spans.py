"""fsck by whole spans: what it finds is what it finds entry by entry, in one process or several, cut off or not."""

import multiprocessing
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from api.scanning import course_of, scanning
from ledger import Checkpoint, RootHash, sign_checkpoint
from ledger.database import reading
from ledger.fsck import Course, Scan, fsck
from ledger.fsck_position import Position, format_position, parse_position
from ledger.fsck_rows import Finding
from ledger.fsck_scan import Scanned, Span, scan_span
from ledger.hashing import LeafHash
from ledger.tables import checkpoints, entries, metadata, tiles
from ledger.tree import Frontier
from signing import MalformedError, UnavailableError
from tests.faults.test_ledger_fsck import flip, flipped
from tests.support.ledger_logs import KEY, ORIGIN, SIGNER, append, new_log, numbered

SIZES = (200, 257, 512, 513, 768, 900)
NEVER = 7
"""Levels of a span that no log here fills."""


def build(engine: Engine) -> None:
    """A log of 900 entries: three spans of 256, and some more."""
    new_log(engine)
    for old, new in zip((1, *SIZES), SIZES, strict=False):
        append(engine, numbered(old, new))


def found_by(engine: Engine, levels: int) -> list[Finding]:
    with reading(engine).connect() as connection:
        return list(fsck(connection, [KEY], Course(levels=levels)))


def one_of(engine: Engine, size: int) -> Scanned | None:
    with reading(engine).connect() as connection:
        return scan_span(connection, Span(KEY, 1, size, 1))


def test_a_good_log_is_gone_over_by_spans(engine: Engine) -> None:
    build(engine)
    seen: list[tuple[int, int]] = []
    course = Course(levels=1, reached=lambda _o, _p, done, size: seen.append((done, size)))
    with reading(engine).connect() as connection:
        assert list(fsck(connection, [KEY], course)) == []
    assert seen == [(256, 900), (512, 900), (768, 900)]
    scanned = one_of(engine, 256)
    assert scanned is not None
    assert [size for size, _, _ in scanned.checkpoints] == [257, 512]


def test_one_flipped_bit_anywhere_is_found_as_without_spans(engine: Engine) -> None:
    build(engine)
    rows = [
        (entries, {"log": 1, "entry_index": 1}),
        (entries, {"log": 1, "entry_index": 257}),
        (tiles, {"origin": ORIGIN, "level": 0, "tile_index": 2}),
        (checkpoints, {"origin": ORIGIN, "size": 257}),
        (checkpoints, {"origin": ORIGIN, "size": 768}),
        (metadata.tables["log_heads"], {"origin": ORIGIN}),
    ]
    for table, key in rows:
        for column in table.columns:
            for position in (0, 131):
                good = flip(engine, table, key, column.name, position)
                by_spans, by_entries = found_by(engine, 1), found_by(engine, NEVER)
                back = {**key, column.name: flipped(good, position)} if column.name in key else key
                flip(engine, table, back, column.name, position)
                assert by_spans == by_entries, f"{table.name} {key} {column.name}"
                assert by_spans
    assert found_by(engine, 1) == []


def test_damage_in_each_span_is_named(engine: Engine) -> None:
    build(engine)
    leaves = metadata.tables["log_leaves"]
    for index in (3, 300, 600, 850):
        with engine.begin() as connection:
            connection.execute(update(leaves).where(leaves.c.entry_index == index).values(entry_index=index + 5000))
        assert found_by(engine, 1) == found_by(engine, NEVER)
        assert found_by(engine, 1)[0].where == f"log_leaves entry_index={index}"
        with engine.begin() as connection:
            moved = update(leaves).where(leaves.c.entry_index == index + 5000)
            connection.execute(moved.values(entry_index=index))


@pytest.mark.parametrize("size", [200, 257, 512, 768])
def test_a_signed_root_of_another_tree_is_found(engine: Engine, size: int) -> None:
    build(engine)
    other = sign_checkpoint(Checkpoint(ORIGIN, size, RootHash(b"o" * 32)), SIGNER)
    with engine.begin() as connection:
        connection.execute(update(checkpoints).where(checkpoints.c.size == size).values(note=other))
    assert found_by(engine, 1) == found_by(engine, NEVER)
    assert [finding.where for finding in found_by(engine, 1)] == [f"log_checkpoints size={size}"]


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_check_that_was_cut_off_goes_on(engine: Engine, tmp_path: Path, cut: int) -> None:
    build(engine)
    state, scanned = tmp_path / "state", []

    def dying(spans: Iterable[Span]) -> Iterator[Scanned | None]:
        for number, span in enumerate(spans):
            if number == cut:
                raise KeyboardInterrupt
            yield counted(span)

    def counted(span: Span) -> Scanned | None:
        scanned.append(span.start)
        return scan_span(connection, span)

    def once(scan: Scan) -> list[Finding]:
        with course_of(KEY, scan, state, lambda *_: None) as course:
            by_one = Course(course.scan, 1, course.start, course.reached)
            return list(fsck(connection, [KEY], by_one))

    with reading(engine).connect() as connection:
        if cut < 3:
            with pytest.raises(KeyboardInterrupt):
                once(dying)
            assert len(parse_position(state.read_bytes(), KEY.format()).roots) == cut
        assert once(lambda spans: map(counted, spans)) == []
    assert scanned == [0, 256, 512]
    assert not state.exists()


def test_a_position_beyond_the_log_counts_for_nothing(engine: Engine) -> None:
    build(engine)
    course = Course(levels=1, start={ORIGIN: Position((b"r" * 32,) * 9, 5)})
    with reading(engine).connect() as connection:
        assert list(fsck(connection, [KEY], course)) == []


def test_several_processes(database_url: str, engine: Engine) -> None:
    with scanning(2) as scan_at:
        build(engine)
        with reading(engine).connect() as connection:
            course = Course(scan_at(engine.url), 1)
            assert list(fsck(connection, [KEY], course)) == []
        with engine.begin() as connection:
            connection.execute(update(tiles).where(tiles.c.tile_index == 1).values(root=b"r" * 32))
        with reading(engine).connect() as connection:
            assert [finding.where for finding in fsck(connection, [KEY], course)] == ["log_tiles level=0 tile_index=1"]


def test_a_killed_process_is_an_outage(engine: Engine) -> None:
    build(engine)
    others = set(multiprocessing.active_children())
    with scanning(2) as scan_at:
        scan = scan_at(engine.url)
        assert scan is not None

        def spans() -> Iterator[Span]:
            for child in set(multiprocessing.active_children()) - others:
                child.kill()
                child.join()
            time.sleep(0.2)
            yield Span(KEY, 1, 0, 1)

        with pytest.raises(UnavailableError) as caught:
            list(scan(spans()))
        assert caught.value.code == "fsck.process"


def test_the_position_is_read_strictly() -> None:
    position = Position((b"a" * 32, b"b" * 32), 77)
    data = format_position(KEY.format(), position)
    assert parse_position(data, KEY.format()) == position
    for old, new in ((b"77", b"-1"), (b"/v1", b"/v2"), (b"YWFh", b""), (b"}", b""), (b"roots", b"root")):
        with pytest.raises(MalformedError):
            parse_position(data.replace(old, new), KEY.format())
    with pytest.raises(MalformedError):
        parse_position(data, "another")


def test_a_frontier_takes_whole_subtrees() -> None:
    leaves = [LeafHash(bytes([number]) * 32) for number in range(64)]
    whole = Frontier().extend(leaves).frontier
    by_eights = Frontier()
    for at in range(0, 64, 8):
        part = Frontier().extend(leaves[at : at + 8]).frontier
        by_eights = by_eights.extend_by_subtree(3, part.root())
    assert by_eights == whole
    with pytest.raises(MalformedError):
        Frontier(4, (b"p" * 32,)).extend_by_subtree(3, b"r" * 32)
