"""Registrations that come in together share a commit: each is acknowledged once, after it, and fails alone."""

import io
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

import httpx
import pytest
from sqlalchemy import Connection, event
from sqlalchemy.exc import IntegrityError, OperationalError

from api import clock
from api.checking import fsck
from api.client import ProblemError
from api.group_registering import Unit, commit_alone, commit_units
from api.home import home_ports
from api.registering import register_material
from api.settings import LogSettings
from api.workspace import Workspace
from ledger import Checkpoint
from ledger.group_commit import GroupCommit, OneToBlameError, Pending
from ledger.store import SqlLog
from materials.identifiers import build_licence_id, parse_licence_id
from materials.ids import MaterialId
from materials.registry.draft import Draft
from materials.registry.submission import Registered, SubmittedFile
from materials.statement import join_statement, parse_statement, verify_statement
from signing import JsonValue, UnavailableError
from tests.support.http_world import (
    ISSUER,
    World,
    make_workspace,
    new_fields,
    new_file,
    running,
    running_world,
    wait_for,
)
from tests.support.ledger_postgres import fresh_database

PATIENCE = 60
Members = Mapping[str, object]
Ask = Callable[[], Members]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The service on each kind of database."""
    folder = tmp_path_factory.mktemp("group") / "workspace"
    if request.param == "sqlite":
        with running_world(folder) as world:
            yield world
        return
    server = request.getfixturevalue("postgres_server")
    with fresh_database(server, "group_commit") as url, running_world(folder, database=url) as world:
        yield world


class Held:
    """Batches wait at the look at the chain, before their transaction, until ``free`` is called."""

    def __init__(self, world: World) -> None:
        self._look = world.workspace.anchored_head
        self._open = threading.Event()
        self.waiting = 0
        world.workspace.anchored_head = self.head

    def head(self) -> Checkpoint | None:
        self.waiting += 1
        assert self._open.wait(PATIENCE)
        assert self._look is not None
        return self._look()

    def free(self, world: World) -> None:
        world.workspace.anchored_head = self._look
        self._open.set()


@contextmanager
def held(world: World) -> Iterator[Held]:
    """No batch is committed before the block ends; one is under way, with one registration in it."""
    hold = Held(world)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(new_material(world))
        try:
            wait_for(lambda: hold.waiting == 1)
            yield hold
        finally:
            hold.free(world)
        assert first.result(PATIENCE)["is_new"]


def new_material(world: World, data: bytes | None = None, **changes: object) -> Ask:
    """Asks for one registration, the same each time."""
    submission = {"issuer": ISSUER, "type": "business-licence", "fields": new_fields(**changes)}
    files = [("application/pdf", new_file() if data is None else data)]
    return lambda: world.client(ISSUER).register(submission, files)


def answer(ask: Ask) -> Members | str:
    """The answer, or the code of the problem."""
    try:
        return ask()
    except ProblemError as error:
        return error.code


def all_at_once(asks: list[Ask]) -> list[Members | str]:
    with ThreadPoolExecutor(len(asks)) as pool:
        return list(pool.map(answer, asks))


def log_size(world: World) -> int:
    with world.workspace.database.read() as connection:
        return world.workspace.log(connection).size()


def checkpoints(world: World) -> int:
    """How many heads were signed."""
    with world.workspace.database.read() as connection:
        log = world.workspace.log(connection)
        return len([*log.published_sizes(0, log.size())])


def stored_files(world: World) -> int:
    return len(list((world.workspace.path / world.workspace.settings.files).glob("*/*")))


def check_home(world: World) -> None:
    assert list(fsck(world.workspace, clock.now())) == []


def test_many_at_once_are_each_acknowledged_once(shared: World) -> None:
    size, heads, files = log_size(shared), checkpoints(shared), stored_files(shared)
    answers = all_at_once([new_material(shared) for _ in range(32)])
    found = [each for each in answers if not isinstance(each, str)]
    assert len(found) == 32
    assert all(each["is_new"] for each in found)
    assert sorted(int(str(each["log_index"])) for each in found) == list(range(size, size + 32))
    assert len({each["id"] for each in found}) == 32
    assert checkpoints(shared) - heads < 32
    assert stored_files(shared) - files == 32
    for each in found:
        assert shared.client().material(MaterialId(str(each["id"])))["log_index"] == each["log_index"]
    check_home(shared)


def test_duplicates_at_once_get_one_id(shared: World) -> None:
    size, files, ask = log_size(shared), stored_files(shared), new_material(shared)
    with ThreadPoolExecutor(8) as pool, held(shared):
        pending = [pool.submit(ask) for _ in range(8)]
        wait_for(lambda: stored_files(shared) - files >= 9)  # all are sealed, and about to wait
    answers = [each.result(PATIENCE) for each in pending]
    assert sorted(bool(each["is_new"]) for each in answers) == [False] * 7 + [True]
    assert len({(each["id"], each["log_index"]) for each in answers}) == 1
    assert log_size(shared) == size + 2
    assert stored_files(shared) - files == 2
    check_home(shared)


def test_what_is_refused_leaves_no_trace_and_takes_no_one_with_it(shared: World) -> None:
    size, files = log_size(shared), stored_files(shared)
    asks = [new_material(shared) for _ in range(3)]
    asks.insert(1, new_material(shared, area_code="330110"))
    with ThreadPoolExecutor(4) as pool, held(shared):
        pending = [pool.submit(answer, ask) for ask in asks]
        wait_for(lambda: stored_files(shared) - files >= 5)
    answers = [each.result(PATIENCE) for each in pending]
    assert answers[1] == "registration.region"
    assert [isinstance(each, str) for each in answers] == [False, True, False, False]
    assert log_size(shared) == size + 4
    assert stored_files(shared) - files == 4
    assert answer(asks[1]) == "registration.region"
    check_home(shared)


@pytest.mark.parametrize("done", [False, True])
def test_a_commit_of_unknown_outcome_is_told_to_all_and_settled_by_a_repeat(
    shared: World, done: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not done, and done but reported failed: the answer is the same, and what a repeat finds is the truth."""
    size, files, asks = log_size(shared), stored_files(shared), [new_material(shared) for _ in range(3)]
    told: list[httpx.Response] = []
    monkeypatch.setitem(shared.http.event_hooks, "response", [told.append])

    def fail(connection: Connection) -> None:
        if threading.current_thread().name == "group-commit":
            if done:
                connection.connection.commit()
            raise OperationalError("COMMIT", {}, Exception("connection lost"))

    engine = shared.workspace.database.engine
    event.listen(engine, "commit", fail)
    try:
        answers = all_at_once(asks)
    finally:
        event.remove(engine, "commit", fail)
        shared.http.event_hooks = {}
    assert answers == ["log.unknown-outcome"] * 3
    assert [(each.status_code, each.headers["retry-after"]) for each in told] == [(503, "1")] * 3
    assert log_size(shared) == size + 3 * done
    again = [ask() for ask in asks]
    assert [each["is_new"] for each in again] == [not done] * 3
    assert log_size(shared) == size + 3
    assert stored_files(shared) - files == (3 if done else 6)  # what may have been of use is left to the sweep
    check_home(shared)


def ready(
    workspace: Workspace, fields: Mapping[str, object], old: MaterialId | None = None, file: bytes | None = None
) -> Unit:
    """A registration that is ready for its transaction; of the next version if it succeeds ``old``."""
    kept: list[Unit] = []

    def keep(unit: Unit) -> Registered:
        kept.append(unit)
        raise UnavailableError("log.unknown-outcome", "not committed yet")

    with pytest.raises(UnavailableError):
        register_material(
            workspace,
            type_code="business-licence",
            issuer=ISSUER,
            fields=cast(Mapping[str, JsonValue], fields),
            files=[SubmittedFile(io.BytesIO(file or new_file()), "application/pdf")],
            version=1 if old is None else 2,
            supersedes=old,
            commit=keep,
        )
    return kept[0]


def units(world: World, count: int) -> list[Unit]:
    """New ones."""
    return [ready(world.workspace, new_fields()) for _ in range(count)]


def outcome(pending: Pending[Unit, Registered]) -> int | str:
    """The index, or the name of the error."""
    try:
        return pending.result(PATIENCE).record.log_index
    except Exception as error:
        return type(error).__name__


def test_a_bug_that_one_meets_is_told_to_that_one_alone(shared: World) -> None:
    size, (good, bad, other) = log_size(shared), units(shared, 3)
    bad = replace(bad, sealed=bad.sealed * 2)  # breaks a rule of the database, not of the registry
    with pytest.raises(OneToBlameError) as spoilt:
        commit_units(shared.workspace, [good, bad, other])
    assert isinstance(spoilt.value.__cause__, IntegrityError)
    assert log_size(shared) == size
    with pytest.raises(IntegrityError):
        commit_alone(shared.workspace, bad)
    with GroupCommit(partial(commit_units, shared.workspace), weight=lambda unit: unit.weight) as group:
        answers = [outcome(each) for each in [group.submit(unit) for unit in (good, bad, other)]]
    assert answers == [size, "IntegrityError", size + 1]
    check_home(shared)


def test_one_transaction_takes_successors_duplicates_and_refusals_together(shared: World) -> None:
    old = register_now(shared)
    size, heads = log_size(shared), checkpoints(shared)
    first, second = units(shared, 2)
    successor = succeed(shared, old)
    outcomes = commit_units(shared.workspace, [first, successor, first, replace(second, draft=outdated(second))])
    assert [type(each).__name__ for each in outcomes] == ["Registered", "Registered", "Registered", "Failed"]
    registered = [each for each in outcomes if isinstance(each, Registered)]
    assert [each.is_new for each in registered] == [True, True, False]
    assert registered[0].record == registered[2].record
    assert (log_size(shared), checkpoints(shared)) == (size + 3, heads + 1)
    view = shared.client().material(old)
    assert view["status"] == "invalid"
    check_home(shared)


def test_two_groups_that_commit_the_same_in_another_order_agree(shared: World) -> None:
    """As two processes on one database have them; the later one gets what the earlier one registered."""
    size, contents = log_size(shared), [(new_fields(), new_file()) for _ in range(12)]
    group = partial(GroupCommit[Unit, Registered], weight=lambda unit: unit.weight, linger=0.05)
    with Workspace.open(shared.workspace.path) as other:
        other.anchored_head = shared.workspace.anchored_head
        works = [(shared.workspace, contents), (other, contents[::-1])]
        handed_in = [
            (workspace, [ready(workspace, fields, None, file) for fields, file in of]) for workspace, of in works
        ]
        with group(partial(commit_units, shared.workspace)) as one, group(partial(commit_units, other)) as two:
            pending = [
                [taking.submit(unit) for unit in ready_units]
                for taking, (_, ready_units) in zip((one, two), handed_in, strict=True)
            ]
            first, second = ([each.result(PATIENCE) for each in of] for of in pending)
    second.reverse()
    assert [each.record for each in first] == [each.record for each in second]
    assert [a.is_new + b.is_new for a, b in zip(first, second, strict=True)] == [1] * 12
    assert log_size(shared) == size + 12
    check_home(shared)


def register_now(world: World) -> MaterialId:
    (unit,) = units(world, 1)
    return commit_alone(world.workspace, unit).record.jti


def outdated(unit: Unit) -> Draft:
    """The same, handed in when the statement has ended."""
    return replace(unit.draft, now=unit.draft.statement.claims.exp)


def succeed(world: World, old: MaterialId) -> Unit:
    """The next version of a material, with its licence identifier."""
    with world.workspace.database.read() as connection:
        ports = home_ports(world.workspace, connection, known_head=None)
        record = ports.materials.find(old)
        assert record is not None
        text = join_statement(record.jwt, ports.vault.read_disclosures(old))
    key = world.workspace.keyring.signer(f"{ISSUER}.issue").public_key
    fields: dict[str, object] = dict(verify_statement(parse_statement(text), key).fields)
    number = parse_licence_id(str(fields["licence_id"]))
    fields["licence_id"] = build_licence_id(number.type_code, number.issuer_code, number.serial, 2).text
    return ready(world.workspace, fields, old)


def test_a_full_queue_is_503_with_retry_after_and_does_no_work(tmp_path: Path) -> None:
    with make_workspace(tmp_path / "workspace") as workspace:
        workspace.settings = workspace.settings.model_copy(update={"log": LogSettings(queue=2, batch=1)})
        with running(workspace) as url, ThreadPoolExecutor(2) as pool:
            world = World(workspace, url)
            told: list[httpx.Response] = []
            with held(world):
                pending = [pool.submit(new_material(world)) for _ in range(2)]
                wait_for(lambda: stored_files(world) == 3)
                world.http.event_hooks = {"response": [told.append]}
                wait_for(lambda: answer(new_material(world)) == "log.busy")
                sealed = stored_files(world)
                assert answer(new_material(world)) == "log.busy"
                assert stored_files(world) == sealed == 3
                world.http.event_hooks = {}
            assert all(each.result(PATIENCE)["is_new"] for each in pending)
            busy = told[-1]
            assert (busy.status_code, busy.headers["retry-after"]) == (503, "1")
            assert busy.headers["content-type"] == "application/problem+json"
            assert log_size(world) == 4
            assert answer(new_material(world)) != "log.busy"
            world.http.close()


def test_a_service_that_ends_answers_what_it_took(tmp_path: Path) -> None:
    with make_workspace(tmp_path / "workspace") as workspace, ThreadPoolExecutor(4) as pool:
        with running(workspace) as url:
            world = World(workspace, url)
            hold = Held(world)
            pending = [pool.submit(new_material(world)) for _ in range(4)]
            wait_for(lambda: stored_files(world) == 4 and hold.waiting == 1)
            threading.Timer(0.5, hold.free, [world]).start()
        assert sorted(int(str(each.result(PATIENCE)["log_index"])) for each in pending) == [1, 2, 3, 4]
        assert log_size(world) == 5
        world.http.close()


def test_a_frozen_log_is_a_conflict(tmp_path: Path) -> None:
    with make_workspace(tmp_path / "workspace") as workspace, running(workspace) as url:
        world = World(workspace, url)
        fields, file = new_fields(), new_file()
        first = commit_alone(workspace, ready(workspace, fields, None, file))
        with workspace.database.write() as connection:
            SqlLog(connection, workspace.settings.origin).freeze()
        with pytest.raises(ProblemError) as frozen:
            new_material(world)()
        assert (frozen.value.status, frozen.value.code) == (409, "log.frozen")
        assert stored_files(world) == 1
        fresh, known = units(world, 1)[0], ready(workspace, fields, None, file)
        with GroupCommit(partial(commit_units, workspace), weight=lambda unit: unit.weight, linger=1) as group:
            pending = [group.submit(unit) for unit in (fresh, known, fresh, known)]
            answers = [outcome(each) for each in pending]  # some share a batch: what is known is told all the same
        assert answers == ["RefusedError", first.record.log_index] * 2
        with pytest.raises(OneToBlameError):
            commit_units(workspace, [fresh, known])
        world.http.close()
