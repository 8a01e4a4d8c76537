"""Appends: batches against bare inserts, and single ones of many threads against batches."""

import statistics
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import Engine

from bench.ledger_sections.setup import (
    BATCH,
    CALLERS,
    Bench,
    Figure,
    append,
    bare_insert,
    copy_log,
    entries,
    figure,
    seconds_of,
)
from ledger.batcher import Batcher


def batched_appends(bench: Bench) -> list[Figure]:
    """Batches of new entries against bare inserts of the same bytes."""
    batches = 2
    rounds = []
    for _ in range(bench.scale.rounds):
        work = [entries(BATCH) for _ in range(batches)]

        def run(side: Callable[[Engine, Sequence[bytes]], object], work: list[list[bytes]] = work) -> None:
            for batch in work:
                side(bench.engine, batch)
            copy_log(bench.engine)

        copy_log(bench.engine)
        rounds.append((seconds_of(lambda: run(append)), seconds_of(lambda: run(bare_insert))))
    ours, bare = (batches * BATCH / min(side) for side in zip(*rounds, strict=True))
    return [
        figure(f"{bench.name}: batched appends", ours, "1/s"),
        figure(f"{bench.name}: bare batched inserts", bare, "1/s"),
        figure(f"{bench.name}: batched appends / bare batched inserts", ours / bare, "ratio", target=0.5),
        figure(f"{bench.name}: the same, median of rounds", statistics.median(b / o for o, b in rounds), "ratio"),
    ]


def concurrent_appends(bench: Bench) -> list[Figure]:
    """Single appends of 32 threads through the batcher, against batched ones."""
    scale = bench.scale
    waiting, streamed, batched, same, bare = [], [], [], [], []
    for _ in range(3):
        waiting.append(callers(bench.engine, scale.waiting, window=1))
        streamed.append(callers(bench.engine, scale.streamed, window=128))
        work = entries(BATCH)
        batched.append(BATCH / seconds_of(lambda work=work: append(bench.engine, work)))
        for side, rates in ((append, same), (bare_insert, bare)):
            few = [entries(CALLERS) for _ in range(50)]
            rates.append(
                len(few) * CALLERS / seconds_of(lambda side=side, few=few: [side(bench.engine, b) for b in few])
            )
    large = entries(BATCH)
    bare_rate = BATCH / min(seconds_of(lambda: bare_insert(bench.engine, large)) for _ in range(3))
    name = f"{bench.name}: {CALLERS} callers"
    return [
        figure(f"{name}, 128 unanswered each", max(streamed), "1/s"),
        figure(f"{name}, 128 unanswered each / batched rate", max(streamed) / max(batched), "ratio", target=0.3),
        figure(f"{name}, each waits for its answer", max(waiting), "1/s"),
        figure(f"{name}, each waits / batched rate", max(waiting) / max(batched), "ratio", target=0.3),
        figure(f"{name}, each waits / appends of {CALLERS} at once", max(waiting) / max(same), "ratio"),
        figure(f"{name}, each waits / bare inserts of {CALLERS} at once", max(waiting) / max(bare), "ratio"),
        figure(f"{bench.name}: appends of {CALLERS} at once", max(same), "1/s"),
        figure(f"{bench.name}: appends of {CALLERS} at once / bare inserts of them", max(same) / max(bare), "ratio"),
        figure(f"{bench.name}: bare inserts of {CALLERS} at once / bare batched", max(bare) / bare_rate, "ratio"),
    ]


def callers(engine: Engine, total: int, window: int) -> float:
    """Entries per second, each appended by itself, by threads that each leave up to ``window`` unanswered."""
    each = total // CALLERS

    def call(work: list[bytes]) -> None:
        pending = []
        for entry in work:
            if len(pending) >= window:
                pending.pop(0).result()
            pending.append(batcher.submit(entry))
        for rest in pending:
            rest.result()

    work = [entries(each) for _ in range(CALLERS)]
    with Batcher(lambda batch: append(engine, batch), max_batch=BATCH) as batcher, ThreadPoolExecutor(CALLERS) as pool:
        return each * CALLERS / seconds_of(lambda: list(pool.map(call, work)))
