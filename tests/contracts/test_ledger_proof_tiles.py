"""Proofs from few tiles, kept in a bounded memory."""

from sqlalchemy import Engine

from ledger import Tile, leaf_hash, verify_receipt
from ledger.database import reading
from ledger.reading import LogReader
from ledger.tile_cache import TileCache
from tests.support.ledger_logs import KEY, ORIGIN, append, grow_to, new_log, numbered


class CountingReader(LogReader):
    """Notes each tile it reads."""

    seen: list[Tile]

    def tile(self, tile: Tile) -> bytes | None:
        """As it is."""
        self.seen.append(tile)
        return super().tile(tile)


def test_no_proof_reads_more_than_two_tiles_of_each_level(engine: Engine) -> None:
    new_log(engine)
    grow_to(engine, 66_000)
    with reading(engine).connect() as connection:
        log = CountingReader(connection, ORIGIN)
        for index in (0, 255, 256, 30_000, 65_535, 65_536, 65_999):
            log.seen = []
            log.inclusion_proof(index, 66_000)
            assert len(log.seen) == len(set(log.seen)) <= 2 * 3
        for old in (1, 255, 256, 30_000, 65_536, 65_999):
            log.seen = []
            log.consistency_proof(old, 66_000)
            assert len(log.seen) == len(set(log.seen)) <= 2 * 3


def test_a_shared_memory_of_tiles(engine: Engine) -> None:
    new_log(engine)
    grow_to(engine, 3000)
    cache = TileCache(limit=8)
    with reading(engine).connect() as connection:
        plain, log = LogReader(connection, ORIGIN), CountingReader(connection, ORIGIN, cache)
        log.seen = []
        for _ in range(3):
            assert log.inclusion_proof(5, 3000) == plain.inclusion_proof(5, 3000)
        assert len(log.seen) == len(set(log.seen))
        for index in range(0, 3000, 100):
            assert log.inclusion_proof(index, 3000) == plain.inclusion_proof(index, 3000)
        assert len(cache._tiles) == 8
    append(engine, numbered(3000, 3001))
    with reading(engine).connect() as connection:
        log = CountingReader(connection, ORIGIN, cache)
        log.seen = []
        assert log.inclusion_proof(5, 3001) == LogReader(connection, ORIGIN).inclusion_proof(5, 3001)
        assert log.inclusion_proof(5, 3000) == LogReader(connection, ORIGIN).inclusion_proof(5, 3000)


def test_receipts_by_leaf_hash(engine: Engine) -> None:
    new_log(engine)
    append(engine, [b"a", b"b"])
    append(engine, [b"c"])
    with reading(engine).connect() as connection:
        log = LogReader(connection, ORIGIN)
        for size in (None, 3):
            receipt = log.receipt_of(leaf_hash(b"b"), size)
            assert receipt is not None
            assert verify_receipt(receipt, b"b", KEY).index == 2
        assert log.receipt_of(leaf_hash(b"x")) is None
