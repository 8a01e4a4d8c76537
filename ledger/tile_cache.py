"""A bounded memory of hash tiles, so that proofs do not read the same ones again and again."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from ledger.tiles import Tile

TILES_KEPT: Final = 1024
"""At most 8 MiB."""


class TileCache:
    """The tiles of one log that were used last; any number of threads may share it.

    A tile that a committed checkpoint covers never changes, and its width is part of its name. So only what committed
    transactions show may be read through it: never give it to the transaction of an append, which may roll back.
    """

    def __init__(self, limit: int = TILES_KEPT) -> None:
        self._limit = limit
        self._tiles: OrderedDict[Tile, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, tile: Tile, read_tile: Callable[[Tile], bytes | None]) -> bytes | None:
        """The tile's bytes, by ``read_tile`` if they are not at hand; what it does not find is not remembered."""
        with self._lock:
            if tile in self._tiles:
                self._tiles.move_to_end(tile)
                return self._tiles[tile]
        data = read_tile(tile)
        if data is not None:
            with self._lock:
                self._tiles[tile] = data
                if len(self._tiles) > self._limit:
                    self._tiles.popitem(last=False)
        return data
