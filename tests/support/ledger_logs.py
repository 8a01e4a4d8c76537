"""Logs for tests: a key, an engine with tables, appends in one transaction each, and a check that all is well."""

from collections.abc import Sequence

from sqlalchemy import Engine, select, update

from ledger.checkpoint import Checkpoint, open_checkpoint
from ledger.database import open_engine, reading
from ledger.fsck import fsck
from ledger.fsck_rows import Finding
from ledger.reading import LogReader
from ledger.store import Appended, SqlLog
from ledger.tables import entries, metadata
from ledger.tiles import Tile, TileNodes, decode_bundle, encode_bundle, tile_width
from signing import Ed25519Signer, NoteKey
from tests.support.ledger_reference import mth

ORIGIN = "example.gov/licences"
SIGNER = Ed25519Signer(bytes([1]) * 32)
KEY = NoteKey.ed25519(ORIGIN, SIGNER.public_key.raw)
POLICY = b"entry 0: the registration policy"


def make_tables(engine: Engine) -> None:
    """The log's tables."""
    with engine.begin() as connection:
        metadata.create_all(connection)


def new_log(engine: Engine, origin: str = ORIGIN) -> Appended:
    """Tables, and a log with its entry 0."""
    make_tables(engine)
    with engine.begin() as connection:
        return SqlLog(connection, origin).create(POLICY, signer=SIGNER, known_head=None)


def append(engine: Engine, batch: Sequence[bytes], *, known_head: Checkpoint | None = None) -> Appended:
    """One committed append."""
    with engine.begin() as connection:
        return SqlLog(connection, ORIGIN).append(batch, signer=SIGNER, known_head=known_head)


def numbered(start: int, stop: int) -> list[bytes]:
    """Distinct entries."""
    return [b"entry %d" % number for number in range(start, stop)]


def grow_to(engine: Engine, size: int) -> None:
    """Bring a log that has only its entry 0 to ``size`` entries; entry i is ``entry i``."""
    append(engine, numbered(1, size))


def replace_entry(engine: Engine, index: int, entry: bytes, leaf: bytes | None = None) -> None:
    """What nobody should: put other bytes, and another leaf hash, in the place of an entry."""
    with engine.begin() as connection:
        row = connection.execute(select(entries).where(entries.c.entry_index <= index)).all()[-1]
        found = decode_bundle(row.entries, width=len(row.leaf_hashes) // 32)
        at = index - row.entry_index
        found[at] = entry
        hashes = row.leaf_hashes
        if leaf is not None:
            hashes = hashes[: at * 32] + leaf + hashes[(at + 1) * 32 :]
        changed = {"entries": encode_bundle(found), "leaf_hashes": hashes}
        connection.execute(update(entries).where(entries.c.entry_index == row.entry_index).values(changed))


def findings(engine: Engine) -> list[Finding]:
    """What fsck finds."""
    with reading(engine).connect() as connection:
        return list(fsck(connection, [KEY]))


def check_log(engine: Engine) -> list[bytes]:
    """Fail unless the log is right, by fsck and by the slow tree from entries read as tiles; returns the entries."""
    assert findings(engine) == []
    with reading(engine).connect() as connection:
        log = LogReader(connection, ORIGIN)
        head = open_checkpoint(log.checkpoint(), KEY)
        found: list[bytes] = []
        for index in range(-(-head.size // 256)):
            width = tile_width(0, index, head.size)
            found += decode_bundle(log.tile(Tile("entries", index, width)) or b"", width=width)
        assert len(set(found)) == len(found) == head.size == log.size()
        assert mth(found) == head.root
        nodes = TileNodes(head.size, log.tile)
        for size in [*log.published_sizes(0, head.size)][-20:]:
            note = log.checkpoint_at(size)
            assert note is not None
            assert open_checkpoint(note, KEY).root == mth(found[:size])
        assert nodes.node(0, 0) == mth(found[:1])
    return found


def append_in_process(url: str, batches: Sequence[Sequence[bytes]]) -> list[Appended]:
    """Run in a process of its own: one committed append for each batch."""
    engine = open_engine(url)
    try:
        return [append(engine, batch) for batch in batches]
    finally:
        engine.dispose()
