"""Time-stamping services that fail: nothing is kept that is not proved, nothing is lost, the next run makes it good."""

import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from api.http.beside import stamping as stamping_rounds
from api.timestamping import stamp_checkpoints
from api.workspace import Workspace
from signing import LedgerError
from tests.support.command_line import Ran, ematerials
from tests.support.http_world import wait_for
from tests.support.stamping_world import kept_stamps, set_services, trust_authority
from tests.support.together import run_together
from tests.support.tsa import Tsa, TsaServer, needs_openssl, serving
from tests.support.workspace_world import Story

pytestmark = needs_openssl
DOWN = "http://127.0.0.1:9/tsa"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TsaServer]:
    with serving(Tsa.new(tmp_path / "tsa")) as server:
        yield server


@pytest.fixture
def home(story: Story, tmp_path: Path, server: TsaServer) -> Path:
    home = story.copy(tmp_path / "home")
    set_services(home, server.url, timeout=2)
    trust_authority(home, server.tsa.root)
    return home


def stamp(home: Path) -> Ran:
    return ematerials("timestamp", "-w", home, "--json")


def codes(ran: Ran) -> list[str | None]:
    return [each.get("error", {}).get("code") for each in ran.json["timestamps"]]


@pytest.mark.parametrize(
    ("fault", "exit_code", "code", "made"),
    [
        # not done
        ("error", 69, "timestamp.unreachable", 0),
        ("redirect", 69, "timestamp.unreachable", 0),
        ("garbage", 69, "timestamp.answer", 0),
        ("huge", 69, "timestamp.answer", 0),
        ("rejected", 69, "timestamp.refused", 0),
        ("slow", 69, "timestamp.unreachable", 0),
        ("drip", 69, "timestamp.answer", 0),
        # done, but reported failed
        ("dropped", 69, "timestamp.unreachable", 1),
        # something else done
        ("nonce", 1, "timestamp.nonce", 1),
        ("imprint", 1, "timestamp.imprint", 1),
    ],
)
def test_a_fault_keeps_nothing_and_the_next_run_stamps(
    home: Path, server: TsaServer, fault: str, exit_code: int, code: str, made: int
) -> None:
    server.fault = fault
    begun = time.monotonic()
    ran = stamp(home)
    assert (ran.code, codes(ran)) == (exit_code, [code])  # one that failed is not asked again in the same run
    assert (server.made, kept_stamps(home)) == (made, [])
    assert time.monotonic() - begun < 10
    server.fault = ""
    server.released.set()
    good = stamp(home)
    assert (good.code, codes(good), len(kept_stamps(home))) == (0, [None, None], 2)


def test_a_service_that_is_down_does_not_keep_another_from_stamping(home: Path, server: TsaServer) -> None:
    set_services(home, DOWN, server.url)
    ran = stamp(home)
    assert (ran.code, codes(ran)) == (69, ["timestamp.unreachable", None, None])
    asked = server.asked
    again = stamp(home)
    assert (again.code, codes(again), server.asked) == (69, ["timestamp.unreachable"], asked)
    assert len(kept_stamps(home)) == 2


def test_the_database_is_free_while_a_service_is_asked(home: Path, server: TsaServer) -> None:
    server.fault = "slow"
    asking = Thread(target=lambda: stamp(home))
    asking.start()
    wait_for(lambda: server.asked > 0)
    with Workspace.open(home) as workspace:
        begun = time.monotonic()
        with workspace.database.write():
            assert time.monotonic() - begun < 1
    server.released.set()
    asking.join()


def test_two_processes_at_once_keep_one_token_of_each(home: Path, server: TsaServer) -> None:
    def run() -> None:
        with Workspace.open(home) as workspace:
            assert not [each for each in stamp_checkpoints(workspace) if isinstance(each.outcome, LedgerError)]

    run_together(run, run, run)
    stamps = kept_stamps(home)
    assert len({stamp.digest for stamp in stamps}) == len(stamps) == 2
    assert server.made >= 2


def test_the_service_stamps_beside_its_requests_and_logs_trouble_once(
    home: Path, server: TsaServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.fault = "error"
    with Workspace.open(home) as workspace:
        service = workspace.settings.service.model_copy(update={"anchor_every_seconds": 1})
        workspace.settings = workspace.settings.model_copy(update={"service": service})
        stamping = stamping_rounds(workspace)
        stamping.start()
        wait_for(lambda: server.asked >= 2)
        server.fault = ""
        wait_for(lambda: len(kept_stamps(home)) == 2)
        stamping.stop()
    told = [record.getMessage() for record in caplog.records if record.name == "ematerials.rounds"]
    assert len(told) == 1
    assert told[0].startswith("timestamps: timestamp.unreachable: ")


def test_without_services_the_thread_does_nothing(story: Story) -> None:
    with Workspace.open(story.folder) as workspace:
        stamping = stamping_rounds(workspace)
        stamping.start()
        stamping.stop()
