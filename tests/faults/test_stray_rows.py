"""A row that belongs to nothing any more, because its key was changed, is found in a whole workspace and named."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Table, select, update

from anchors.tables import heads, proofs, submissions, transactions
from api import clock
from api.checking import Finding, check_steps
from api.workspace import Workspace
from ledger.fsck import NO_COURSE
from materials.store.tables import material_status_entry, material_status_list
from materials.store.trust import trust_list
from tests.support.workspace_world import Story

STEPS = ("trust lists", "status lists", "anchor proofs")
CHANGES: tuple[tuple[Table, str, Any], ...] = (
    (trust_list, "seq", 300),
    (trust_list, "iat", 7),
    (material_status_list, "seq", 300),
    (material_status_list, "uri", "https://example.org/x"),
    (material_status_entry, "uri", "https://example.org/x"),
    (submissions, "origin", "example.org/x"),
    (submissions, "chain_id", 7),
    (proofs, "contract", bytes(20)),
    (heads, "origin", "example.org/x"),
    (transactions, "chain_id", 7),
)


@pytest.fixture(scope="module")
def home(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return story.copy(tmp_path_factory.mktemp("stray") / "home")


def checked(workspace: Workspace) -> list[Finding]:
    """The findings of the steps that read these tables."""
    with workspace.database.read() as connection:
        steps = check_steps(workspace, connection, clock.now(), NO_COURSE)
        return [found for name, step in steps if name in STEPS for found in step()]


def found_after(workspace: Workspace, table: Table, column: str, value: object) -> list[Finding]:
    """What is found after one row was changed; put back afterwards."""
    keys = list(table.primary_key)

    def write(connection: Connection, where: dict[str, object], name: str, to: object) -> None:
        query = update(table).where(*(table.c[key] == held for key, held in where.items()))
        assert connection.execute(query.values({name: to})).rowcount == 1

    with workspace.database.write() as connection:
        row = dict(connection.execute(select(table).order_by(*(key.desc() for key in keys)).limit(1)).mappings().one())
        was = {key.name: row[key.name] for key in keys}
        write(connection, was, column, value)
    try:
        return checked(workspace)
    finally:
        with workspace.database.write() as connection:
            now = {key: value if key == column else held for key, held in was.items()}
            write(connection, now, column, row[column])


def test_a_row_of_nothing_is_named(home: Path) -> None:
    with Workspace.open(home) as workspace:
        assert checked(workspace) == []
        for table, column, value in CHANGES:
            found = found_after(workspace, table, column, value)
            assert any(each.where.startswith(table.name) for each in found), (table.name, column, found)
        assert checked(workspace) == []
