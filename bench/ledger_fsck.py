"""How fast the log is checked, beside bare hashing of the same bytes in the same run.

``fsck`` re-derives everything from the stored entries, on as many processes as there are cores, at most two: leaves,
the index by leaf hash, tiles of every level, roots and signatures of all checkpoints (one for each 4096 entries).
The bare side is SHA-256 alone, in one process, of bytes that are in memory: each leaf (0x00 ‖ entry) and each node (65
bytes), nothing read, compared or kept. The two take turns; a ratio is that of the best times of the rounds.

Statement signatures are a further pass, of the materials: each statement's form is judged and its signature verified,
in one process, beside the library's bare verification of the same bytes.
"""

import argparse
import json
import sys
import tempfile
from hashlib import sha256
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # before this folder, where a file hides the package ledger

from api.scanning import ScanAt, cores, scanning
from bench.ledger_sections.setup import (
    BATCH,
    ENTRY_BYTES,
    FULL,
    ORIGIN,
    QUICK,
    SIGNER,
    Bench,
    Figure,
    append,
    copy_log,
    databases,
    entries,
    figure,
    seconds_of,
)
from bench.ledger_sections.statement_signatures import statement_signatures
from ledger.database import reading
from ledger.fsck import Course, fsck
from ledger.tables import checkpoints
from signing import NoteKey

KEY = NoteKey.ed25519(ORIGIN, SIGNER.public_key.raw)
SAMPLE = 50_000
ROUNDS = 3
TARGET = 4


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="less than a minute; 200,000 entries for 1,000,000")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    arguments = parser.parse_args()
    count, processes = 200_000 if arguments.quick else 1_000_000, min(cores(), 2)
    figures: list[Figure] = []
    with (
        scanning(processes) as scan_at,
        tempfile.TemporaryDirectory() as folder,
        databases(QUICK if arguments.quick else FULL, Path(folder)) as benches,
    ):
        for bench in benches:
            figures += measure(bench, count, processes, scan_at)
    figures += statement_signatures()
    for row in figures:
        target = "" if row["target"] == 0 else f"   target {row['better']} {row['target']}   met: {row['met']}"
        print(f"{row['name']:70} {row['value']:>12} {row['unit']}{target}", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


def measure(bench: Bench, count: int, processes: int, scan_at: ScanAt) -> list[Figure]:
    """Build a log of ``count`` entries of ENTRY_BYTES, check it."""
    sample = entries(SAMPLE)
    for start in range(1, count, BATCH):
        append(bench.engine, entries(min(BATCH, count - start)))
    copy_log(bench.engine)
    ours, bare = [], []
    for _ in range(ROUNDS):
        bare.append(seconds_of(lambda: bare_hashing(sample)) * count / SAMPLE)
        ours.append(seconds_of(lambda: check(bench, scan_at)))
    alone = seconds_of(lambda: check(bench, lambda _: None))
    name = f"{bench.name}: fsck of {count:,} entries of {ENTRY_BYTES} bytes"
    return [
        figure(f"{name}, against bare", min(ours) / min(bare), "ratio", better="<=", target=TARGET),
        figure(f"{name}, {processes} processes", count / min(ours), "1/s"),
        figure(f"{name}, 1 process", count / alone, "1/s"),
        figure(f"{bench.name}: bare hashing of them", count / min(bare), "1/s"),
    ]


def check(bench: Bench, scan_at: ScanAt) -> None:
    """One ``fsck``, which must find nothing."""
    with reading(bench.engine).connect() as connection:
        found = list(fsck(connection, [KEY], Course(scan_at(bench.engine.url))))
        signed = len(connection.execute(checkpoints.select()).all())
    if found or not signed:
        raise SystemExit(f"fsck found something: {found[:3]}")


def bare_hashing(sample: list[bytes]) -> None:
    """A leaf and a node for each entry."""
    node = b"\x01" + bytes(64)
    for entry in sample:
        sha256(b"\x00" + entry).digest()
    for _ in sample:
        sha256(node).digest()


if __name__ == "__main__":
    main()
