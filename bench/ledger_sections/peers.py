"""The same work on another project's tree."""

import random
import statistics

from bench.ledger_sections.growth import random_proof
from bench.ledger_sections.setup import BATCH, Bench, Figure, append, entries, figure, seconds_of


def beside_pymerkle(bench: Bench) -> list[Figure]:
    """The same work on pymerkle's SQLite tree, made as durable: no dedupe, no signature, no tiles."""
    if bench.engine.dialect.name != "sqlite":
        return []
    try:
        from pymerkle import SqliteTree
    except ImportError:
        print("pymerkle is not installed (pip install 'ematerials[bench]'): its figures are left out")
        return []
    tree = SqliteTree(str(bench.folder / "pymerkle.db"))
    for pragma in ("journal_mode = WAL", "synchronous = FULL"):
        tree.con.execute(f"PRAGMA {pragma}")
    batched, single = [], []
    for _ in range(bench.scale.rounds):
        work = entries(BATCH)
        batched.append(
            (
                seconds_of(lambda work=work: append(bench.engine, work)),
                seconds_of(lambda work=work: tree.append_entries(work)),
            )
        )
        one = entries(20, 100)
        single.append(
            (
                seconds_of(lambda one=one: [append(bench.engine, [entry]) for entry in one]) / 20,
                seconds_of(lambda one=one: [tree.append_entry(entry) for entry in one]) / 20,
            )
        )
    size = tree.get_size()
    proofs = [seconds_of(lambda: tree.prove_inclusion(random.randrange(size) + 1, size)) for _ in range(100)]
    ours = [seconds_of(lambda: random_proof(bench.engine)) for _ in range(100)]
    tree.close()
    rows = []
    for what, pairs in (("batched appends", [(a / BATCH, b / BATCH) for a, b in batched]), ("single appends", single)):
        mine, theirs = (1 / min(side) for side in zip(*pairs, strict=True))
        rows += [
            figure(f"pymerkle: {what}, ours", mine, "1/s"),
            figure(f"pymerkle: {what}, theirs", theirs, "1/s"),
            figure(f"pymerkle: {what}, ours / theirs", mine / theirs, "ratio"),
        ]
    return [
        *rows,
        figure("pymerkle: inclusion proof, ours", statistics.median(ours) * 1e3, "ms", better="<="),
        figure(f"pymerkle: inclusion proof at {size:,}, theirs", statistics.median(proofs) * 1e3, "ms", better="<="),
    ]
