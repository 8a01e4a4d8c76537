"""What a large log costs that a small one does not: appends, proofs, memory. And verifying a proof of it."""

import multiprocessing
import os
import random
import statistics
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from bench.ledger_sections.setup import BATCH, ORIGIN, Bench, Figure, append, entries, figure, seconds_of
from ledger import Tile, TileNodes, leaf_hash, prove_inclusion, verify_inclusion
from ledger.checkpoint import read_checkpoint
from ledger.database import open_engine, reading
from ledger.reading import LogReader


def grow(url: str, sizes: Sequence[int], pipe: Any) -> None:
    """In a process of its own: bring a log of short entries to each size; tell the resident memory at each."""
    engine = open_engine(url)
    number = 1
    for size in sizes:
        while number < size:
            count = min(BATCH, size - number)
            append(engine, [b"entry %032d" % (number + at) + bytes(60) for at in range(count)])
            number += count
        pipe.send(resident_bytes())
    engine.dispose()


def resident_bytes() -> int:
    """Of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def growth(bench: Bench) -> list[Figure]:
    """A small and a large log of entries of 100 bytes: single append, inclusion proof, memory of the writer."""
    scale = bench.scale
    urls = {size: bench.another(f"log_of_{size}") for size in (scale.small, scale.large)}
    memory = {}
    for size, url in urls.items():
        receiver, sender = multiprocessing.Pipe(duplex=False)
        stops = [scale.small, size] if size > scale.small else [size]
        process = multiprocessing.get_context("spawn").Process(target=grow, args=(url, stops, sender))
        process.start()
        memory[size] = [receiver.recv() for _ in stops]
        process.join()
    engines = {size: open_engine(url) for size, url in urls.items()}
    name = f"{bench.name}: {scale.large:,} against {scale.small:,} entries"
    appended = turns(engines, single_append, 40 * scale.rounds)
    proved = turns(engines, random_proof, 60 * scale.rounds)
    tiles = tiles_of_a_proof(engines[scale.large])
    batched = turns(engines, large_batch, 2 * scale.rounds)
    held = verification(engines[scale.large]) if bench.engine.dialect.name == "sqlite" else []
    for engine in engines.values():
        engine.dispose()
    first, last = memory[scale.large]
    return [
        figure(f"{bench.name}: one append at {scale.large:,}", appended[scale.large] * 1e3, "ms", better="<="),
        figure(f"{name}, one append", appended[scale.large] / appended[scale.small], "ratio", better="<=", target=1.3),
        figure(f"{name}, a batch of {BATCH}", batched[scale.large] / batched[scale.small], "ratio", better="<="),
        figure(f"{bench.name}: inclusion proof at {scale.large:,}", proved[scale.large] * 1e3, "ms", better="<="),
        figure(f"{name}, inclusion proof", proved[scale.large] / proved[scale.small], "ratio", better="<=", target=2),
        figure(f"{bench.name}: tiles read for a proof at {scale.large:,}", tiles, "tiles", better="<="),
        figure(f"{name}, resident memory", (last - first) / 1e6, "MB", better="<=", target=100),
        *held,
    ]


def turns(engines: dict[int, Engine], action: Callable[[Engine], object], count: int) -> dict[int, float]:
    """The median seconds of ``action`` on each engine, taken in turns."""
    for engine in engines.values():
        action(engine)
    times = [
        {size: seconds_of(lambda engine=engine: action(engine)) for size, engine in engines.items()}
        for _ in range(count)
    ]
    return {size: statistics.median(each[size] for each in times) for size in engines}


def single_append(engine: Engine) -> None:
    """One entry, one commit."""
    append(engine, entries(1, 100))


def large_batch(engine: Engine) -> None:
    """Many entries, one commit: their hashes go all over the index."""
    append(engine, entries(BATCH))


def random_proof(engine: Engine) -> tuple[bytes, ...]:
    """An inclusion proof under the newest checkpoint, of any entry."""
    with reading(engine).connect() as connection:
        log = LogReader(connection, ORIGIN)
        size = log.size()
        return log.inclusion_proof(random.randrange(size), size)


def tiles_of_a_proof(engine: Engine) -> int:
    """The most tiles that one of a hundred proofs read."""
    most = 0
    with reading(engine).connect() as connection:
        log = LogReader(connection, ORIGIN)
        size = log.size()
        for _ in range(100):
            seen: list[Tile] = []

            def counted(tile: Tile, seen: list[Tile] = seen) -> bytes | None:
                seen.append(tile)
                return log.tile(tile)

            prove_inclusion(random.randrange(size), size, TileNodes(size, counted))
            most = max(most, len(seen))
    return most


def verification(engine: Engine) -> list[Figure]:
    """Verifying an inclusion proof, against as many bare calls of SHA-256 over as many bytes."""
    with reading(engine).connect() as connection:
        log = LogReader(connection, ORIGIN)
        head = read_checkpoint(log.checkpoint())
        index = head.size // 3
        leaf, proof = leaf_hash(log.entry(index) or b""), log.inclusion_proof(index, head.size)
    pairs = [b"\x01" + sibling + leaf for sibling in proof]

    def bare() -> None:
        for pair in pairs:
            sha256(pair).digest()

    def ours() -> None:
        verify_inclusion(index=index, size=head.size, leaf=leaf, proof=proof, root=head.root)

    rounds = [(seconds_of(lambda: repeat(ours, 500)), seconds_of(lambda: repeat(bare, 500))) for _ in range(20)]
    mine, theirs = (min(side) for side in zip(*rounds, strict=True))
    return [
        figure(f"verify inclusion, {len(proof)} hashes", 500 / mine, "1/s"),
        figure("verify inclusion / bare SHA-256 of its nodes", theirs / mine, "ratio", target=0.4),
    ]


def repeat(action: Callable[[], object], count: int) -> None:
    """``count`` times."""
    for _ in range(count):
        action()
