"""What anchoring costs: gas and bytes on the chain, and the time that a verifier needs for a proof.

Gas does not depend on the machine: the contract runs on the embedded chain, and the tests hold other machines to the
same figures. Trees are not built, their subtrees' hashes are invented; the chain can't tell the difference.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # before this folder, where this file hides the package anchors

from bench.anchors_sections.gas import gas_by_size, one_material
from bench.anchors_sections.verification import verification
from bench.ledger_sections.setup import Figure

SECTIONS: tuple[Callable[[bool], list[Figure]], ...] = (gas_by_size, one_material, verification)
"""Each is told whether it has to be quick."""


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="at most 20 seconds: fewer sizes and rounds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    arguments = parser.parse_args()
    figures: list[Figure] = []
    for section in SECTIONS:
        for row in section(arguments.quick):
            target = "" if row["target"] == 0 else f"   target {row['better']} {row['target']}   met: {row['met']}"
            print(f"{row['name']:70} {row['value']:>12} {row['unit']}{target}", flush=True)
            figures.append(row)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
