"""A process to be killed: works in a workspace for ever, and tells each result on a line once it has it.

python -m tests.support.kill_worker FOLDER ACTIVITY FIRST       ACTIVITY: register, retrieve, anchor, revoke or all
"""

import io
import json
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

from api.anchoring import anchor
from api.demo.cast import GRANTED, LICENCE, example_fields
from api.grant_files import read_grant_file
from api.granting import retrieve
from api.registering import change_material_status, register_material
from api.workspace import Workspace
from materials.events import EventCode
from materials.grants.retrieve import Retrieval
from materials.identifiers import build_licence_id
from materials.registry.submission import Registered, SubmittedFile
from tests.support.workspace_world import request_of

ACTIVITIES = ("register", "retrieve", "anchor", "revoke")


def register_number(workspace: Workspace, number: int) -> Registered:
    """Licence ``number`` of as many as are wanted."""
    licence_id = build_licence_id("11310110MB9F000199001", "11310110MB9F000199", f"2027{number:06}", 1).text
    fields = example_fields(LICENCE, workspace.catalogue, 0)
    fields |= {"licence_id": licence_id, "licence_number": f"样例{number:06}"}
    return register_material(
        workspace,
        type_code=LICENCE.type_code,
        issuer=workspace.operator,
        fields=fields,
        files=[SubmittedFile(io.BytesIO(f"licence {number}".encode()), "application/pdf")],
    )


def do_register(workspace: Workspace, number: int) -> str:
    """The id."""
    return register_number(workspace, number).record.jti


def do_retrieve(workspace: Workspace, number: int) -> str:
    """The usage record; ``number`` makes the idempotency key."""
    chain = read_grant_file(workspace.path / "grant.json")
    request = request_of(chain, GRANTED)
    return retrieve(workspace, Retrieval(request, chain, chain.leaf.audience.key.key_id, f"kill-{number:026}")).usage


def do_anchor(workspace: Workspace, number: int) -> str:
    """The size anchored, of a log that has something new."""
    register_number(workspace, number)
    submission = anchor(workspace)
    return "" if submission is None else str(submission.size)


def do_revoke(workspace: Workspace, number: int) -> str:
    """The id revoked."""
    jti = register_number(workspace, number).record.jti
    return change_material_status(workspace, jti, code=EventCode.REVOKED, reason="issued-in-error").jti


WORKS: dict[str, Callable[[Workspace, int], str]] = {
    "register": do_register,
    "retrieve": do_retrieve,
    "anchor": do_anchor,
    "revoke": do_revoke,
}


def _plan(activity: str, first: int) -> Iterator[tuple[str, int]]:
    for number in count(first):
        yield from ((name, number) for name in (ACTIVITIES if activity == "all" else (activity,)))


def main(folder: Path, activity: str, first: int) -> None:
    """Work until killed."""
    with Workspace.open(folder) as workspace:
        for name, number in _plan(activity, first):
            print(json.dumps([name, number, None]), flush=True)
            print(json.dumps([name, number, WORKS[name](workspace, number)]), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
