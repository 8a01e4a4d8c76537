"""No space left: a clear answer, nothing acknowledged, and when there is room again it goes on without repair.

Where the disk ends is said by the database (SQLite's page limit) or, on both databases and for files, by the operating
system: no file of a process may grow beyond a size (``support/disk_limits.py``).
"""

import json
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from psycopg import errors
from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError

from api import clock
from api.checking import fsck
from api.client import ProblemError
from api.db import Database
from ledger.appended import Appended
from ledger.database import reading
from ledger.export import export_log
from ledger.reading import LogReader
from ledger.store import SqlLog
from materials.identifiers import build_licence_id
from signing import UnavailableError
from tests.support.disk_limits import files_end_at, limited_cli, process_of
from tests.support.http_world import ISSUER, World, make_workspace, new_fields, new_file, running
from tests.support.ledger_logs import ORIGIN, SIGNER, append, grow_to, new_log
from tests.support.told import Told, check_told
from tests.support.workspace_world import Story, run_cli

FILE_LIMIT = 20 << 20  # above the segments of PostgreSQL's own write-ahead log


def write_batch(database: Database, batch: list[bytes], told: Told) -> Appended:
    """One append as the application does it, taken down once it is acknowledged."""
    with database.write() as connection:
        appended = SqlLog(connection, ORIGIN).append(batch, signer=SIGNER, known_head=None)
    for entry, index in zip(batch, appended.indices, strict=True):
        told.answer(entry, index, appended.checkpoint_note)
    return appended


def fill(database: Database, told: Told) -> tuple[str, list[bytes]]:
    """Append batches of 6 MB until it is refused; the code, and the batch that was."""
    for number in range(20):
        batch = [b"%d %d " % (number, at) + bytes(60_000) for at in range(100)]
        try:
            write_batch(database, batch, told)
        except UnavailableError as error:
            return error.code, batch
    raise AssertionError("the disk never got full")


def goes_on(database: Database, refused: list[bytes], told: Told) -> None:
    """The refused batch left nothing, and is taken now."""
    again = write_batch(database, refused, told)
    assert not any(again.duplicates)
    check_told(database.engine, told, submitted=told.indices)


def test_no_file_of_the_database_may_grow(database_url: str) -> None:
    database, told = Database(database_url), Told()
    new_log(database.engine)
    with database.engine.connect() as connection:  # the only one of the pool: the next transactions have it too
        process = process_of(connection)
    with files_end_at(FILE_LIMIT, process):
        code, refused = fill(database, told)
        assert len(check_told(database.engine, told, submitted=told.indices)) == len(told.indices) + 1
        with pytest.raises(UnavailableError):
            write_batch(database, refused, told)
    assert code == "database.unavailable"
    goes_on(database, refused, told)
    database.close()


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (errors.DiskFull("could not extend file: No space left on device"), "database.full"),
        (errors.InternalError_("could not extend file: File too large"), "database.unavailable"),
        (errors.AdminShutdown("terminating connection"), "database.unavailable"),
        (errors.DataCorrupted("invalid page in block 7"), "database.damaged"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_postgresql_says_has_a_stable_code(said: errors.Error, code: str) -> None:
    """The first can't be had without a disk of one's own; the second is what the limit on files gives."""
    database = Database("postgresql://localhost/none")
    with pytest.raises(UnavailableError) as refused, database.answering():
        raise DBAPIError.instance("INSERT", None, said, errors.Error)
    assert refused.value.code == code
    assert "INSERT" not in str(refused.value)


@contextmanager
def page_limit(engine: Engine, spare: int) -> Iterator[None]:
    """SQLite's file may grow by ``spare`` pages only, on all connections."""
    with engine.connect() as connection:
        pages: int = connection.exec_driver_sql("PRAGMA page_count").scalar_one()

    def limit(connection: object, _: object) -> None:
        assert isinstance(connection, sqlite3.Connection)
        connection.execute(f"PRAGMA max_page_count = {pages + spare}")

    event.listen(engine, "connect", limit)
    engine.dispose()
    try:
        yield
    finally:
        event.remove(engine, "connect", limit)
        engine.dispose()


def test_sqlite_says_that_it_is_full(tmp_path: Path) -> None:
    database, told = Database(f"sqlite:///{tmp_path / 'log.db'}"), Told()
    new_log(database.engine)
    with page_limit(database.engine, 4000):
        code, refused = fill(database, told)
        check_told(database.engine, told, submitted=told.indices)
    assert code == "database.full"
    goes_on(database, refused, told)
    database.close()


def test_the_service_answers_503_while_there_is_no_space(tmp_path: Path) -> None:
    """First none in the database, then none for an upload."""
    with make_workspace(tmp_path / "home") as workspace, running(workspace) as url:
        answers: list[httpx.Response] = []
        with httpx.Client(timeout=60, event_hooks={"response": [answers.append]}) as http:
            client = World(workspace, url, http=http).client(ISSUER)

            def register(fields: object, file: bytes) -> bool:
                submission = {"issuer": ISSUER, "type": "business-licence", "fields": fields}
                return bool(client.register(submission, [("application/pdf", file)])["is_new"])

            for limit, code, size in (
                (page_limit(workspace.database.engine, 0), "database.full", 0),
                (files_end_at(4 << 20, os.getpid()), "file.unavailable", 5 << 20),  # where uploads are put aside
            ):
                with limit:
                    answers.clear()
                    while not answers or answers[-1].is_success:  # until the pages that were free are used up
                        wanted = new_fields(), new_file() + os.urandom(size)
                        with suppress(ProblemError):
                            register(*wanted)
                assert (answers[-1].status_code, answers[-1].json()["code"]) == (503, code)
                assert int(answers[-1].headers["retry-after"]) > 0
                assert register(*wanted)
        assert list(fsck(workspace, clock.now())) == []


def test_an_export_that_finds_no_space_leaves_a_whole_log(engine: Engine, tmp_path: Path) -> None:
    """At each size at which a file can be cut off: what is there is the old log; the next run completes it."""
    new_log(engine)
    grow_to(engine, 300)
    folder = tmp_path / "static"
    with reading(engine).connect() as connection:
        log = LogReader(connection, ORIGIN)
        export_log(log, folder)
        before = (folder / "checkpoint").read_bytes()
    append(engine, [b"x" * 5000 + b"%d" % number for number in range(300)])
    for limit in (100, 5000, 100_000, 1_000_000):
        with (
            reading(engine).connect() as connection,
            files_end_at(limit, os.getpid()),
            pytest.raises(OSError, match="too large"),
        ):
            export_log(LogReader(connection, ORIGIN), folder)
        assert (folder / "checkpoint").read_bytes() == before
    with reading(engine).connect() as connection:
        exported = export_log(LogReader(connection, ORIGIN), folder)
    assert exported.checkpoint.size == 600
    assert list(folder.rglob("*.tmp")) == []


def test_the_command_line_says_that_there_is_no_space(story: Story, tmp_path: Path) -> None:
    workspace, file = story.copy(tmp_path / "home"), tmp_path / "large.pdf"
    file.write_bytes(os.urandom(5 << 20))
    fields = tmp_path / "fields.json"
    licence = build_licence_id("11310110MB9F000199001", "11310110MB9F000199", "2031000001", 1).text
    fields.write_text(json.dumps(new_fields(licence_id=licence, licence_number="样例2031000001")))
    register = ("register", file, "--type", "business-licence", "--fields", fields, "--workspace", workspace)
    full = subprocess.run(limited_cli(4 << 20, *register), capture_output=True, text=True, timeout=60, check=False)
    assert (full.returncode, full.stdout) == (69, "")
    assert "vault.unavailable" in full.stderr
    assert "Traceback" not in full.stderr
    assert list((workspace / "files").rglob("*.tmp")) == []
    assert run_cli(*register).returncode == 0
