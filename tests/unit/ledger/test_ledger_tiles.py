"""Tiles: paths, widths, bundles, and reading nodes from them."""

import pytest

from ledger import Tile, TileNodes, decode_bundle, encode_bundle, parse_tile_path, tile_path, tile_width
from ledger.tiles import right_edge, split_hashes
from signing import LedgerError, MalformedError, VerificationError
from tests.support.ledger_reference import mth


@pytest.mark.parametrize(
    ("index", "text"),
    [
        (0, "000"),
        (67, "067"),
        (273, "273"),
        (999, "999"),
        (1000, "x001/000"),
        (1_000_000, "x001/x000/000"),
        (1_234_067, "x001/x234/067"),
        (1_000_000_000, "x001/x000/x000/000"),
    ],
)
def test_index_groups(index: int, text: str) -> None:
    for tile, path in (
        (Tile(0, index), f"tile/0/{text}"),
        (Tile(63, index, 1), f"tile/63/{text}.p/1"),
        (Tile("entries", index, 255), f"tile/entries/{text}.p/255"),
    ):
        assert tile_path(tile) == path
        assert parse_tile_path(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/data/000",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/x1/000",
        "tile/0/x000/001",
        "tile/0/001/000",
        "tile/0/x001",
        "tile/0/x001/",
        "tile/0/000/",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/08",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/0/000.p/1/",
        "tile/0/000.p/1\n",
        "/tile/0/000",
        "tile//0/000",
        "tile/0/../0/000",
        "tile/0/00%30",
        "tile/0/٠٠٠",
        "tile/²/000",
        "TILE/0/000",
        "tile/0/X001/000",
        "tile/entries/x036/x028/x797/x018/x963/x968",
        "tile/0/x036/x028/x797/x018/x963/968",
        "tile/0/" + "x001/" * 100 + "000",
    ],
)
def test_other_spellings(path: str) -> None:
    with pytest.raises(MalformedError):
        parse_tile_path(path)


def test_size_70_000() -> None:
    assert list(right_edge(70_000)) == [Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert tile_width(0, 272, 70_000) == tile_width(1, 0, 70_000) == 256
    assert tile_width(0, 274, 70_000) == tile_width(3, 0, 70_000) == 0


def test_size_256() -> None:
    assert list(right_edge(256)) == [Tile(1, 0, 1)]


def test_tiles_that_can_not_be() -> None:
    for level, index, width in ((-1, 0, 1), (64, 0, 1), (0, -1, 1), (0, 1 << 60, 1), (0, 0, 0), (0, 0, 257)):
        with pytest.raises(MalformedError):
            Tile(level, index, width)
    for data in (b"", b"x" * 31, b"x" * 33, b"x" * 32 * 257):
        with pytest.raises(MalformedError):
            split_hashes(data)


def test_bundle_limits() -> None:
    longest = b"x" * 65_535
    assert decode_bundle(encode_bundle([longest]), width=1) == [longest]
    for entries in ([], [b""] * 257, [b"x" * 65_536]):
        with pytest.raises(MalformedError):
            encode_bundle(entries)
    for data, width in ((b"", 1), (b"\0", 1), (b"\0\5abcd", 1), (b"\0\1ab", 1), (b"\0\0" * 3, 2), (b"\0\0", 2)):
        with pytest.raises(MalformedError):
            decode_bundle(data, width=width)


def test_nodes_from_bad_tiles() -> None:
    entries = [b"%d" % number for number in range(5)]
    good = b"".join(mth([entry]) for entry in entries)
    assert TileNodes(5, lambda tile: good).node(1, 1) == mth(entries[2:4])
    for data in (None, b"", good[:-1], good + b"\0", good[:-32]):
        with pytest.raises(VerificationError):
            TileNodes(5, {Tile(0, 0, 5): data}.get).node(1, 1)
    for height, index in ((3, 0), (1, 2), (0, 5), (70, 0)):
        with pytest.raises(LedgerError):
            TileNodes(5, lambda tile: good).node(height, index)


def test_each_tile_is_read_once() -> None:
    asked: list[Tile] = []

    def read(tile: Tile) -> bytes:
        asked.append(tile)
        return b"h" * 32 * tile.width

    nodes = TileNodes(300, read)
    for index in range(8):
        nodes.node(0, index)
    nodes.node(8, 0)
    nodes.node(0, 299)
    assert asked == [Tile(0, 0), Tile(1, 0, 1), Tile(0, 1, 44)]
