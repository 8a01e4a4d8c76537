"""Real processes that anchor the same log with the same key at the same time, on a served chain; some are killed."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select, update

from anchors.contract import ANCHORED_TOPIC
from anchors.tables import leases, submissions
from api.anchoring import anchor
from api.organisations import Organisation
from api.settings import ChainSettings
from api.setup import NewWorkspace, create_workspace
from api.workspace import Workspace
from signing import UnavailableError
from tests.support.http_world import ISSUER, ORIGIN
from tests.support.kill_worker import register_number

MAIN = [sys.executable, "-c", "from api.cli.app import main; main()"]


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[str]:
    """The URL of a development chain in a process of its own."""
    command = [*MAIN, "devchain", "serve", str(tmp_path / "served.db"), "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
    finally:
        server.kill()
        server.wait(10)
        if server.stdout is not None:
            server.stdout.close()


def anchored(url: str) -> list[int]:
    query = {"fromBlock": "0x0", "toBlock": "latest", "topics": ["0x" + ANCHORED_TOPIC.hex()]}
    request = {"jsonrpc": "2.0", "id": 1, "method": "eth_getLogs", "params": [query]}
    logs = httpx.post(url, json=request, timeout=30).json()["result"]
    return [int(each["topics"][2], 16) for each in logs]


def a_minute_later(workspace: Workspace) -> None:
    """The leases of the killed have run out."""
    with workspace.database.write() as connection:
        connection.execute(update(leases).values(expires_at=0))


def test_two_processes_one_of_them_killed(tmp_path: Path, chain: str) -> None:
    home = tmp_path / "home"
    uscc, names = ISSUER.removeprefix("uscc:"), ("某区政务服务办公室（虚构）", "A district's office (synthetic)")
    issuer = Organisation(uscc, *names, "district", "310110", types=("business-licence",), bases=("holder",))
    create_workspace(home, NewWorkspace(issuer, ORIGIN, ChainSettings(kind="rpc", urls=(chain,))))
    with Workspace.open(home) as workspace:
        for number, delay in enumerate((2.5, 4.0)):
            register_number(workspace, number)
            rivals = [
                subprocess.Popen(
                    [*MAIN, "anchor", "-w", str(home)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
                for _ in range(2)
            ]
            time.sleep(delay)
            rivals[0].send_signal(signal.SIGKILL)
            assert rivals[1].wait(60) in (0, 69)  # 69: the other one, dead by now, has the lease
            rivals[0].wait(10)
            a_minute_later(workspace)
        for _ in range(10):
            try:
                if anchor(workspace) is None:
                    break
            except UnavailableError:
                a_minute_later(workspace)
        sizes = anchored(chain)
        with workspace.database.read() as connection:
            size = workspace.log(connection).size()
            states = {row.state for row in connection.execute(select(submissions.c.state))}
    assert sizes == sorted(set(sizes))
    assert sizes[-1] == size
    assert states <= {"proven", "superseded"}
