"""How fast one material goes in, and how fast its bundle is verified; each against a limit taken in the same run.

* register: registrations per second (issue, encrypt, log, commit) as a share of the bare durable writes they can't do
  without: one file written, synced, renamed and its folder synced, then one SQLite commit (WAL, synchronous=FULL).
* callers at once: the same by threads of one process, as the service has them (no HTTP): each registration in a
  transaction of its own, and many in one by group commit, which is what the service does; against one caller.
* verify: the time of ``verify_bundle`` as a multiple of the bare signature checks it can't do without.
"""

import argparse
import io
import itertools
import json
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # before this folder, where signing.py hides the package signing

from api import clock
from api.anchoring import anchor
from api.bundling import make_bundle
from api.demo import cast
from api.group_registering import Commit, Unit, commit_units
from api.registering import register_material
from api.settings import LogSettings
from api.setup import NewWorkspace, create_workspace
from api.trust_lists import export_trust
from api.workspace import Workspace
from ledger.group_commit import Failed, GroupCommit
from materials.catalogue import load_catalogue
from materials.ids import EntityId, MaterialId
from materials.registry.submission import Registered, SubmittedFile
from materials.report import Verdict
from materials.verification import verify_bundle
from signing import Ed25519Signer, Es256Signer, Secret

CALLERS = 32


def rate(action: Callable[[int], object], seconds: float) -> float:
    """How often per second ``action`` runs, over about ``seconds``."""
    count, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        action(count)
        count += 1
    return count / elapsed


def durable_writes(folder: Path, seconds: float) -> float:
    """One file and one commit, both durable, per second; nothing else."""
    connection = sqlite3.connect(folder / "raw.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE t (v BLOB)")

    def write(number: int) -> None:
        temporary = folder / f"{number}.new"
        with temporary.open("wb") as stream:
            stream.write(bytes(4096))
            stream.flush()
            os.fsync(stream.fileno())
        temporary.rename(folder / f"{number}.raw")
        descriptor = os.open(folder, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
        connection.execute("INSERT INTO t VALUES (?)", (bytes(1000),))

    result = rate(write, seconds)
    connection.close()
    return result


class Registering:
    """Registers materials, each with another file of 4 KiB; knows the id of the last one."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._fields = cast.example_fields(cast.REPORT, workspace.catalogue, 0)
        self._numbers = itertools.count()
        self.last = MaterialId("")

    def register(self, commit: Commit | None = None) -> None:
        """One of them, by ``commit`` or in a transaction of its own."""
        file = SubmittedFile(io.BytesIO(next(self._numbers).to_bytes(8) * 512), "application/json")
        registered = register_material(
            self._workspace,
            type_code=cast.REPORT.type_code,
            issuer=EntityId(self._workspace.operator),
            fields=self._fields,
            files=[file],
            commit=commit,
        )
        if not registered.is_new:
            raise SystemExit("a file was registered before")
        self.last = registered.record.jti

    def by_callers(self, callers: int, seconds: float, commit: Commit | None) -> float:
        """Registrations per second of so many threads, each of which waits for its answer."""
        with ThreadPoolExecutor(callers) as pool:
            start = time.perf_counter()
            end = start + seconds
            return sum(pool.map(lambda _: self._until(end, commit), range(callers))) / (time.perf_counter() - start)

    def _until(self, end: float, commit: Commit | None) -> int:
        count = 0
        while time.perf_counter() < end:
            self.register(commit)
            count += 1
        return count


def callers_at_once(workspace: Workspace, registering: Registering, seconds: float) -> list[dict[str, object]]:
    """One caller and 32, by the group commit of the service with its default settings."""
    batches: list[int] = []

    def commit_batch(units: Sequence[Unit]) -> list[Registered | Failed]:
        batches.append(len(units))
        return commit_units(workspace, units)

    limits = LogSettings()
    own = registering.by_callers(CALLERS, seconds, None)
    with GroupCommit[Unit, Registered](commit_batch, weight=lambda unit: unit.weight, max_batch=limits.batch) as group:

        def commit(unit: Unit) -> Registered:
            return group.submit(unit).result()

        alone = registering.by_callers(1, seconds, commit)
        batches.clear()
        together = registering.by_callers(CALLERS, seconds, commit)
    return [
        figure(f"{CALLERS} callers, own transactions", own, "1/s"),
        figure("1 caller, group commit", alone, "1/s"),
        figure(f"{CALLERS} callers, group commit", together, "1/s"),
        figure("registrations in one commit", statistics.mean(batches), "mean"),
        figure(f"group commit: {CALLERS} callers / 1 caller", together / alone, "ratio"),
        figure(f"{CALLERS} callers: group commit / own", together / own, "ratio"),
    ]


def bare_signature_checks(seconds: float) -> float:
    """Seconds for one ES256 check and three Ed25519 checks: statement; trust list, checkpoint, status list."""
    message = bytes(500)
    es256, ed25519 = Es256Signer(Secret(bytes(31) + b"\x07")), Ed25519Signer(Secret(bytes(32)))
    es256_signature, ed25519_signature = es256.sign(message), ed25519.sign(message)

    def check(_: int) -> None:
        es256.public_key.verify(es256_signature, message)
        for _ in range(3):
            ed25519.public_key.verify(ed25519_signature, message)

    return 1 / rate(check, seconds)


def measure(seconds: float) -> list[dict[str, object]]:
    """All figures; ``seconds`` for each of them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        operator = cast.district_bureau(load_catalogue())
        create_workspace(folder / "workspace", NewWorkspace(operator, cast.ORIGIN))
        with Workspace.open(folder / "workspace") as workspace:
            raw = durable_writes(folder, seconds)
            workspace.anchored_head = lambda: None  # as the service does: the chain is not asked for each request
            registering = Registering(workspace)
            registering.register()  # opens the key files
            registered = rate(lambda _: registering.register(), seconds)
            at_once = callers_at_once(workspace, registering, seconds)
            workspace.anchored_head = None
            anchor(workspace)
            bundle, trust = make_bundle(workspace, registering.last), export_trust(workspace, clock.now())

            def verify(_: int) -> None:
                report = verify_bundle(bundle, trust, now=clock.now(), catalogue=workspace.catalogue)
                if report.verdict is not Verdict.VALID:
                    raise SystemExit(f"the bundle does not verify: {report.to_json()}")

            verified = rate(verify, seconds)
    multiple = 1 / verified / bare_signature_checks(min(seconds, 2))
    return [
        figure("bare durable writes", raw, "1/s"),
        figure("registrations", registered, "1/s"),
        figure("registrations / bare durable writes", registered / raw, "ratio", ">=", 0.02),
        *at_once,
        figure("bundles verified", verified, "1/s"),
        figure("verify / bare signature checks", multiple, "ratio", "<=", 40),
    ]


def figure(name: str, value: float, unit: str, better: str = ">=", target: float = 0) -> dict[str, object]:
    """One row of the result; a figure with target 0 is there for information."""
    met = value >= target if better == ">=" else value <= target
    return {"name": name, "value": round(value, 4), "unit": unit, "better": better, "target": target, "met": met}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="at most 40 seconds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    arguments = parser.parse_args()
    figures = measure(3 if arguments.quick else 15)
    for row in figures:
        target = "" if row["target"] == 0 else f"   target {row['better']} {row['target']}   met: {row['met']}"
        print(f"{row['name']:36} {row['value']:>12} {row['unit']}{target}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
