"""``kill -9`` of a service under load: what it acknowledged is there, once, and the next one goes on from there."""

import random
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import httpx

from api import clock, names
from api.checking import fsck
from api.client import LedgerClient, ProblemError
from api.workspace import Workspace
from materials.store.scan import SqlMaterialScan
from signing import Signer, UnavailableError
from tests.support.http_world import ISSUER, make_workspace, new_fields, new_file, wait_for
from tests.support.workspace_world import EMATERIALS, make_keys_cheap

CALLERS = 16
LONGEST_LIFE_SECONDS = 1
Members = Mapping[str, object]


@dataclass
class Callers:
    """Many callers of one service, until it is gone; what each asked for, and what it was told."""

    url: str
    signer: Signer
    asked: dict[int, tuple[Members, bytes]] = field(default_factory=dict)
    answered: list[tuple[int, Members]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=count)

    def call(self) -> None:
        """Register one after the other."""
        with LedgerClient(self.url, ISSUER, self.signer) as client:
            while True:
                number = next(self.numbers)
                self.asked[number] = (new_fields(), new_file())
                try:
                    self.answered.append((number, self.ask(client, number)))
                except ProblemError as error:
                    self.refused.append(error.code)
                except UnavailableError:
                    return

    def ask(self, client: LedgerClient, number: int) -> Members:
        fields, file = self.asked[number]
        submission = {"issuer": ISSUER, "type": "business-licence", "fields": fields}
        return client.register(submission, [("application/pdf", file)])

    def start(self) -> list[threading.Thread]:
        threads = [threading.Thread(target=self.call) for _ in range(CALLERS)]
        for thread in threads:
            thread.start()
        return threads


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@contextmanager
def service(folder: Path, port: int, errors: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """``ematerials serve`` in a process of its own, until it is killed."""
    command = [*EMATERIALS, "serve", "--workspace", str(folder), "--port", str(port)]
    with errors.open("wb") as log, subprocess.Popen(command, stderr=log, stdout=log) as process:
        try:
            wait_for(lambda: is_up(port) or process.poll() is not None)
            assert process.poll() is None, errors.read_text()
            yield process
        finally:
            process.kill()


def is_up(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz").is_success
    except httpx.HTTPError:
        return False


def test_killed_under_load(tmp_path: Path, database_url: str) -> None:
    folder, port = tmp_path / "workspace", free_port()
    with make_workspace(folder, database=database_url) as workspace:
        make_keys_cheap(folder)
        signer = workspace.keyring.signer(names.entity_key(ISSUER, "api"))
    callers = Callers(f"http://127.0.0.1:{port}", signer)
    with service(folder, port, tmp_path / "first.log") as process:
        threads = callers.start()
        wait_for(lambda: len(callers.answered) > 0)
        time.sleep(random.uniform(0, LONGEST_LIFE_SECONDS))
        process.send_signal(signal.SIGKILL)
        for thread in threads:
            thread.join(60)
    assert callers.refused == []
    with service(folder, port, tmp_path / "second.log") as process, LedgerClient(callers.url, ISSUER, signer) as client:
        with ThreadPoolExecutor(CALLERS) as pool:
            answers = pool.map(lambda number: callers.ask(client, number), callers.asked)
            again = dict(zip(callers.asked, answers, strict=True))
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) in (0, -signal.SIGTERM)
    for number, answer in callers.answered:
        assert again[number] == {**answer, "is_new": False}
    with Workspace.open(folder) as workspace:
        assert list(fsck(workspace, clock.now())) == []
        with workspace.database.read() as connection:
            scan = SqlMaterialScan(connection)
            stored = sorted(record.log_index for record in scan.records())
            assert list(scan.unfinished()) == []
    assert stored == sorted(int(str(answer["log_index"])) for answer in again.values())
    assert stored == list(range(1, len(callers.asked) + 1))
