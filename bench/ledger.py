"""What the log costs, beside the bare database, bare hashing and pymerkle's SQLite tree, in the same run.

Every figure is durable: SQLite in WAL with ``synchronous=FULL``; PostgreSQL, a server of its own for this run, with
``fsync``, ``full_page_writes`` and ``synchronous_commit`` on, which is checked. Our side and the other take turns, on
the same database through the same engine; a ratio is that of the best times of several rounds, since on a shared
machine only the best ones are about the program. Beside it stands the median of the rounds' own ratios.

The bare side of an append is a table (id integer primary key, entry blob) in the same database, and the same entries in
as many transactions: INSERT by the driver's ``executemany``. It looks for no duplicates, reads nothing back, hashes and
signs nothing. On SQLite each side pays for copying its write-ahead log into the file.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # before this folder, where this file hides the package ledger

from bench.ledger_sections.appends import batched_appends, concurrent_appends
from bench.ledger_sections.growth import growth
from bench.ledger_sections.peers import beside_pymerkle
from bench.ledger_sections.setup import FULL, QUICK, Bench, Figure, databases

SECTIONS: tuple[Callable[[Bench], list[Figure]], ...] = (
    batched_appends,
    concurrent_appends,
    growth,
    beside_pymerkle,
)
"""Each runs on each database; one that is about one of them gives nothing for the other."""


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="at most 40 seconds; 100,000 entries for 1,000,000")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    arguments = parser.parse_args()
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder, databases(QUICK if arguments.quick else FULL, Path(folder)) as all_:
        for section in SECTIONS:
            for bench in all_:
                for row in section(bench):
                    target = (
                        "" if row["target"] == 0 else f"   target {row['better']} {row['target']}   met: {row['met']}"
                    )
                    print(f"{row['name']:70} {row['value']:>12} {row['unit']}{target}", flush=True)
                    figures.append(row)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
