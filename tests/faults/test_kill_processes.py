"""``kill -9`` at any moment: what was acknowledged is there once, nothing is doubled, no release lacks its record."""

import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import update

from anchors.tables import leases
from api import clock
from api.anchoring import anchor, chain_of
from api.checking import fsck
from api.granting import owner_of, usage_records
from api.home import home_ports
from api.reading import view_material
from api.registering import change_material_status
from api.workspace import Workspace
from ledger import read_checkpoint
from materials.events import EventCode
from materials.grants.usage import parse_usage
from materials.ids import MaterialId
from materials.status import StatusValue
from materials.store.scan import SqlMaterialScan
from tests.support.kill_worker import ACTIVITIES, do_retrieve, register_number
from tests.support.ledger_postgres import fresh_database
from tests.support.workspace_world import Story, tell_story

ROOT = Path(__file__).parents[2]
LONGEST_LIFE_SECONDS = 0.7


@dataclass
class Told:
    """What workers said before they were killed: results by (activity, number), and what was begun and not told."""

    done: dict[tuple[str, int], str] = field(default_factory=dict)
    begun: set[tuple[str, int]] = field(default_factory=set)

    def hear(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            if line.endswith(b"\n"):  # a line cut off was not told
                name, number, result = json.loads(line)
                if result is None:
                    self.begun.add((name, number))
                else:
                    self.done[name, number] = result

    def numbers(self, *activities: str) -> list[int]:
        return sorted(number for name, number in self.begun if name in activities)


def start_worker(folder: Path, activity: str, first: int) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "tests.support.kill_worker", str(folder), activity, str(first)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def kill_some_time(workers: "list[subprocess.Popen[bytes]]", told: Told) -> None:
    """Kill each some time after its first work began, or ended, and take down what was told till then."""
    errors = ""
    for worker in workers:
        with worker:
            assert worker.stdout is not None
            assert worker.stderr is not None
            told.hear([worker.stdout.readline() for _ in range(random.randint(1, 2))])
            time.sleep(random.uniform(0, LONGEST_LIFE_SECONDS))
            worker.kill()
            told.hear(worker.stdout.readlines())
            errors += worker.stderr.read().decode()
    assert errors == "", errors


def check_home(folder: Path, told: Told) -> None:
    """The home is whole, and all that was told is true, once."""
    with Workspace.open(folder) as workspace:
        assert list(fsck(workspace, clock.now())) == []
        _check_materials(workspace, told)
        _check_uses(workspace, told)
        _check_anchoring(workspace)
        assert list(fsck(workspace, clock.now())) == []


def _check_materials(workspace: Workspace, told: Told) -> None:
    before = _registered(workspace)
    for (name, number), result in told.done.items():
        if name in ("register", "revoke"):
            again = register_number(workspace, number)
            assert (again.record.jti, again.is_new) == (result, False)
        if name == "revoke":
            assert view_material(workspace, MaterialId(result)).status is StatusValue.INVALID
    jtis = [register_number(workspace, number).record.jti for number in told.numbers("register", "anchor", "revoke")]
    after = _registered(workspace)
    assert len(set(after)) == len(after)
    assert set(after) - set(before) <= set(jtis)
    assert len(set(jtis)) == len(set(told.numbers("register", "anchor", "revoke")))
    for number in told.numbers("revoke"):
        jti = register_number(workspace, number).record.jti
        change_material_status(workspace, jti, code=EventCode.REVOKED, reason="issued-in-error")
        with workspace.database.read() as connection:
            assert len(home_ports(workspace, connection, known_head=None).events.of(jti)) == 1


def _registered(workspace: Workspace) -> list[MaterialId]:
    with workspace.database.read() as connection:
        scan = SqlMaterialScan(connection)
        assert list(scan.unfinished()) == []
        return [record.jti for record in scan.records()]


def _check_uses(workspace: Workspace, told: Told) -> None:
    """One record for each use counted; the same key asked again is answered from that record."""
    told_records = {number: text for (name, number), text in told.done.items() if name == "retrieve"}
    if not told.numbers("retrieve"):
        return
    for number, text in told_records.items():
        assert do_retrieve(workspace, number) == text
    for number in told.numbers("retrieve"):
        do_retrieve(workspace, number)
    material = parse_usage(do_retrieve(workspace, told.numbers("retrieve")[0])).record.material
    texts = usage_records(workspace, owner_of(workspace, material), limit=100_000)
    assert max(Counter(texts).values()) == 1
    assert set(told_records.values()) <= set(texts)
    records = [parse_usage(text).record for text in texts]
    counted = sorted(
        (record.links[-1].jti, use.n) for record in records for use in record.uses if use.link == len(record.links) - 1
    )
    leaves = Counter(leaf for leaf, _ in counted)
    assert counted == sorted((leaf, n) for leaf, uses in leaves.items() for n in range(1, uses + 1))


def a_minute_later(workspace: Workspace) -> None:
    """Whoever was killed holds no lease any more."""
    with workspace.database.write() as connection:
        connection.execute(update(leases).values(expires_at=0))


def _check_anchoring(workspace: Workspace) -> None:
    """Whatever state the submission was in, it ends on the chain, once."""
    a_minute_later(workspace)
    anchor(workspace)
    assert anchor(workspace) is None
    now = clock.now()
    with workspace.database.read() as connection:
        newest = read_checkpoint(workspace.log(connection).checkpoint())
    with chain_of(workspace, now, "main", writable=False) as chain:
        head = chain.head(workspace.settings.origin)
    assert (head.size, head.root) == (newest.size, newest.root)


@pytest.mark.parametrize("activity", [*ACTIVITIES, "all"])
def test_killed_at_any_moment(story: Story, tmp_path: Path, activity: str) -> None:
    folder, told = story.copy(tmp_path / "workspace"), Told()
    (folder / "grant.json").write_bytes(story.grant)
    for life in range(2):
        kill_some_time([start_worker(folder, activity, 1000 * life)], told)
        with Workspace.open(folder) as workspace:
            a_minute_later(workspace)
    check_home(folder, told)


def test_two_processes_at_once_and_one_is_killed(story: Story, tmp_path: Path) -> None:
    """Both register the same materials; the embedded chain has one writer, so only one of them anchors."""
    folder, told = story.copy(tmp_path / "workspace"), Told()
    (folder / "grant.json").write_bytes(story.grant)
    kill_some_time([start_worker(folder, "all", 0), start_worker(folder, "register", 0)], told)
    check_home(folder, told)


def test_killed_on_postgresql(postgres_server: str, tmp_path: Path) -> None:
    with fresh_database(postgres_server, "kill_processes") as url:
        told = Told()
        story = tell_story(tmp_path / "workspace", database=url)
        (story.folder / "grant.json").write_bytes(story.grant)
        for life in range(2):
            kill_some_time([start_worker(story.folder, name, 1000 * life) for name in ("all", "register")], told)
            with Workspace.open(story.folder) as workspace:
                a_minute_later(workspace)
        check_home(story.folder, told)
