"""Write a log as static files that any web server can offer (C2SP tlog-tiles): bundles, tiles, checkpoint last.

    <directory>/tile/entries/<N>[.p/<W>]
    <directory>/tile/<L>/<N>[.p/<W>]
    <directory>/checkpoints/<size>        every checkpoint that was ever signed
    <directory>/checkpoint
    <directory>/cosigned                  the newest checkpoint that the log's witness policy accepts, if there is one

A crash leaves a valid log of the old size; the next run goes on from there. Full tiles are written once. Partial ones
are written for each published checkpoint whose tile is not full yet; they stay, since older readers may still want
them. Everything is recomputed from the entries on the way, so damaged bytes are never published. A checkpoint gets
further cosignatures only while it is the latest, so of the older ones only the last one published is written again.
"""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Final

from ledger.checkpoint import Checkpoint, read_checkpoint
from ledger.files import locked_directory, write_file
from ledger.hashing import EMPTY_ROOT, leaf_hash
from ledger.proving import tree_root
from ledger.reading import LogReader
from ledger.tiles import TILE_HEIGHT, TILE_WIDTH, Tile, TileNodes, decode_bundle, right_edge, split_hashes, tile_path
from ledger.tree import full_root
from signing import LedgerError, VerificationError

CHECKPOINT_FILE: Final = "checkpoint"
HISTORY: Final = "checkpoints"
COSIGNED_FILE: Final = "cosigned"


@dataclass(frozen=True, slots=True)
class Publication:
    """What readers are shown: ``cosigned``, the newest checkpoint that the log's witness policy accepts, if there is
    one; ``only_cosigned``, whether the file ``checkpoint`` is no other either.
    """

    cosigned: bytes | None = field(default=None, repr=False)
    only_cosigned: bool = False


SIGNED: Final = Publication()
"""Without witnesses: every checkpoint that the log signed."""


@dataclass(frozen=True, slots=True)
class Exported:
    """The checkpoint that the directory shows now (of size 0: none yet), and how many files this run wrote."""

    checkpoint: Checkpoint
    files_written: int


def export_log(log: LogReader, directory: Path, publication: Publication = SIGNED) -> Exported:
    """Bring ``directory`` up to the latest checkpoint of ``log``; give the log a connection of ``reading(engine)``.

    Raises VerificationError: ``export.other-log`` or ``export.newer`` if the directory holds another log or a larger
    tree than this database, ``export.fork`` if it holds another tree, ``export.changed`` if a file in it differs,
    ``log.damaged`` if the stored entries do not give the signed root. MalformedError if the directory's checkpoint
    can't be read, UnavailableError ``export.busy``. File system errors are OSError.
    """
    with locked_directory(directory):
        note = log.checkpoint()
        head = read_checkpoint(note)
        nodes = TileNodes(head.size, log.tile)
        if tree_root(head.size, nodes) != head.root:
            raise VerificationError("log.damaged", "export: the stored hashes do not give the signed root; run fsck")
        old = _published(directory, head)
        if old.size > 0 and tree_root(old.size, TileNodes(old.size, log.tile)) != old.root:
            raise VerificationError("export.fork", "export: the directory holds another tree than this log")
        written = 0
        for tile in _tiles(log, old.size, head.size):
            written += _write_once(directory / tile_path(tile), _checked(log, tile, nodes))
        for size, published in _history(log, _history_start(directory, old), head):
            written += _write_note(directory / HISTORY / str(size), published)
        cosigned = publication.cosigned
        if cosigned is not None:
            written += _write_note(directory / COSIGNED_FILE, cosigned)
        shown = cosigned if publication.only_cosigned else note
        if shown is None or (shown_head := read_checkpoint(shown)).size < old.size:
            return Exported(old, written)  # what was shown is not taken back
        return Exported(shown_head, written + _write_note(directory / CHECKPOINT_FILE, shown))


def _published(directory: Path, head: Checkpoint) -> Checkpoint:
    """The checkpoint in the directory, or that of the empty log."""
    path = directory / CHECKPOINT_FILE
    if not path.exists():
        return Checkpoint(head.origin, 0, EMPTY_ROOT)
    old = read_checkpoint(path.read_bytes())
    if old.origin != head.origin:
        raise VerificationError("export.other-log", "export: the directory holds a log of another origin")
    if old.size > head.size:
        raise VerificationError(
            "export.newer", f"export: the directory holds {old.size} entries, this log only {head.size}"
        )
    return old


def _tiles(log: LogReader, old_size: int, size: int) -> Iterator[Tile]:
    """Tiles that came with (old size, size]: bundles first, then hash tiles, lowest level first, no tile twice."""
    edge: set[Tile] = set()
    for published in log.published_sizes(old_size, size):
        edge.update(tile for tile in right_edge(published) if not _is_full(tile, size))
    partial = sorted(edge, key=lambda tile: (tile.level, tile.width))
    first, end = old_size // TILE_WIDTH, size // TILE_WIDTH
    yield from (Tile("entries", index) for index in range(first, end))
    yield from (Tile("entries", tile.index, tile.width) for tile in partial if tile.level == 0)
    level = 0
    while first < end:
        yield from (Tile(level, index) for index in range(first, end))
        level, first, end = level + 1, first // TILE_WIDTH, end // TILE_WIDTH
    yield from partial


def _is_full(tile: Tile, size: int) -> bool:
    return isinstance(tile.level, int) and (tile.index + 1) * TILE_WIDTH <= size >> (TILE_HEIGHT * tile.level)


def _checked(log: LogReader, tile: Tile, nodes: TileNodes) -> bytes:
    """The bytes of a tile, if entries hash to their leaves and full tiles to the hash above them."""
    data = log.tile(tile)
    if data is None:
        raise VerificationError("log.damaged", f"{tile_path(tile)}: can't be read; run fsck")
    if tile.level == "entries":
        leaves = b"".join(map(leaf_hash, decode_bundle(data, width=tile.width)))
        good = leaves == log.tile(Tile(0, tile.index, tile.width))
    elif isinstance(tile.level, int) and tile.width == TILE_WIDTH:
        above = nodes.node(TILE_HEIGHT * (tile.level + 1), tile.index)
        good = full_root(split_hashes(data)) == above
    else:
        good = True  # on the right edge, over which the signed root was recomputed
    if not good:
        raise VerificationError("log.damaged", f"{tile_path(tile)}: does not hash to what is above it; run fsck")
    return data


def _history_start(directory: Path, old: Checkpoint) -> int:
    """The size after which checkpoints are to be written: all below that of the last run are there, if that is."""
    return old.size - 1 if old.size > 0 and (directory / HISTORY / str(old.size)).exists() else 0


def _history(log: LogReader, after: int, head: Checkpoint) -> Iterator[tuple[int, bytes]]:
    """Size and note of each checkpoint beyond ``after``, if the entries give its root."""
    published = array("q", log.published_sizes(after, head.size))  # whole, so that no cursor stays open
    for _, sizes in groupby(published, key=lambda size: size // TILE_WIDTH):
        nodes = TileNodes(head.size, log.tile)  # for these sizes alone: it keeps every tile it reads
        for size in sizes:
            note = log.checkpoint_at(size) or b""
            try:
                checkpoint = read_checkpoint(note)
            except LedgerError as error:
                raise VerificationError("log.damaged", f"checkpoint of {size}: can't be read; run fsck") from error
            if (checkpoint.size, checkpoint.root) != (size, tree_root(size, nodes)):
                raise VerificationError("log.damaged", f"checkpoint of {size}: not over the stored hashes; run fsck")
            yield size, note


def _write_note(path: Path, note: bytes) -> bool:
    """Put a checkpoint in place, unless it is there; whether it was not."""
    if path.exists() and path.read_bytes() == note:
        return False
    write_file(path, note)
    return True


def _write_once(path: Path, data: bytes) -> bool:
    """Write a file that never changes; whether it was not there before."""
    if not path.exists():
        write_file(path, data)
        return True
    if path.read_bytes() != data:
        raise VerificationError("export.changed", f"{path.name}: the file is there already with other content")
    return False
