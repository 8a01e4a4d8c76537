"""The clock steps: backwards beyond the tolerance nothing is signed, by no door; within it nothing is noticed.

``api.clock`` is the one place that reads the clock, so that is where the tests step.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from anchors import Grade
from api import clock, names
from api.anchoring import anchor
from api.bundling import make_bundle
from api.checking import fsck
from api.client import ProblemError
from api.clock_guard import check_clock
from api.cosigning import Witness
from api.demo.cast import GRANTED
from api.grant_files import read_grant_file
from api.keys.key_changes import Successor, rotate_key
from api.reading import status_list, view_material
from api.registering import change_material_status
from api.settings import WitnessSettings
from api.trust_lists import change_trust, export_trust
from api.workspace import Workspace
from ledger import read_checkpoint
from ledger.witness import Cosigned
from materials.catalogue import load_catalogue
from materials.events import EventCode
from materials.ids import MaterialId
from materials.report import Verdict
from materials.store.scan import SqlMaterialScan
from materials.verification import open_trust, verify_bundle
from signing import UnavailableError
from tests.support.http_world import ISSUER, ORIGIN, World, make_workspace, new_fields, new_file, register, running
from tests.support.kill_worker import do_retrieve, register_number
from tests.support.witness_log import HandLog
from tests.support.workspace_world import Story, run_cli, use

HOUR, DAY = 3600, 86400


@dataclass
class Hands:
    """The clock of the test: the real one, and as many seconds before or after it as were stepped."""

    stepped: int = 0

    def step(self, seconds: int) -> None:
        """Forwards, or backwards if negative."""
        self.stepped += seconds


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    hands, real = Hands(), clock.now
    monkeypatch.setattr(clock, "now", lambda: real() + hands.stepped)
    return hands


@pytest.fixture
def home(story: Story, tmp_path: Path, hands: Hands) -> Iterator[Workspace]:
    """A copy of the story's workspace."""
    folder = story.copy(tmp_path / "home")
    (folder / "grant.json").write_bytes(story.grant)
    with Workspace.open(folder) as workspace:
        yield workspace


def revoke(workspace: Workspace, jti: MaterialId) -> object:
    return change_material_status(workspace, jti, code=EventCode.REVOKED, reason="issued-in-error")


def signed(workspace: Workspace) -> tuple[object, ...]:
    """Whatever the home has signed with a date, and the log's head."""
    with workspace.database.read() as connection:
        scan, origin = SqlMaterialScan(connection), workspace.settings.origin
        lists = [list(scan.lists(uri)) for uri in (names.status_uri(origin), names.grant_status_uri(origin))]
        return lists, read_checkpoint(workspace.log(connection).checkpoint())


DOORS: dict[str, Callable[[Workspace], object]] = {
    "register": lambda workspace: register_number(workspace, 2),
    "register again": lambda workspace: register_number(workspace, 1),
    "event": lambda workspace: revoke(workspace, register_number(workspace, 1).record.jti),
    "retrieval": lambda workspace: do_retrieve(workspace, 1),
    "key": lambda workspace: rotate_key(workspace, names.LIST_KEY, Successor(), at=clock.now(), now=clock.now()),
    "trust list": lambda workspace: change_trust(workspace, lambda trust_list: trust_list, clock.now()),
}


@pytest.mark.parametrize("door", DOORS)
def test_an_hour_back_nothing_is_signed(home: Workspace, hands: Hands, door: str) -> None:
    jti = register_number(home, 1).record.jti
    before = signed(home)
    hands.step(-HOUR)
    with pytest.raises(UnavailableError) as refused:
        DOORS[door](home)
    assert refused.value.code == "clock.behind"
    assert "NTP" in str(refused.value)
    assert signed(home) == before
    hands.step(HOUR)
    assert view_material(home, jti).claims.jti == jti
    DOORS[door](home)


def test_within_the_tolerance_lists_keep_their_order(home: Workspace, hands: Hands) -> None:
    hands.step(HOUR)
    for number in (1, 2, 3):
        revoke(home, register_number(home, number).record.jti)
        hands.step(-15)
    uri = names.status_uri(home.settings.origin)
    with home.database.read() as connection:
        lists = list(SqlMaterialScan(connection).lists(uri))
    assert all(earlier.iat <= later.iat for earlier, later in pairwise(lists))
    assert status_list(home, uri) == lists[-1]
    assert list(fsck(home, clock.now())) == []


def test_back_from_a_clock_that_was_a_month_ahead(story: Story, home: Workspace, hands: Hands) -> None:
    """Refused, until a person says by how much the clock was ahead; then lists are made anew, and all is good."""
    hands.step(30 * DAY)
    ahead = register_number(home, 1).record.jti
    revoke(home, ahead)
    hands.step(-30 * DAY)
    refused = run_cli("revoke", story.materials["second"], "--reason", "issued-in-error", "-w", home.path)
    assert refused.returncode == 69
    assert "clock.behind" in refused.stderr
    settings = home.path / "ematerials.toml"
    settings.write_text(settings.read_text("utf-8").replace("tolerance = 60", f"tolerance = {31 * DAY}"), "utf-8")
    with Workspace.open(home.path) as mended:
        revoke(mended, story.materials["second"])
        jti = register_number(mended, 2).record.jti
        anchor(mended)
        now, trust = clock.now(), export_trust(mended, clock.now())
        origin = mended.settings.origin
        lists = [status_list(mended, uri).iat for uri in (names.status_uri(origin), names.grant_status_uri(origin))]
        assert max(open_trust(trust, now).list.iat, *lists) <= clock.now()  # none is dated ahead any more
        for material, verdict in ((jti, Verdict.VALID), (story.materials["second"], Verdict.INVALID)):
            bundle = make_bundle(mended, material)
            assert verify_bundle(bundle, trust, now=now, catalogue=load_catalogue()).verdict is verdict
        assert [finding.code for finding in fsck(mended, now)] == ["status.order"]


def test_uses_of_one_owner_keep_their_order(home: Workspace, hands: Hands) -> None:
    """The log holds a commitment without a date for a use, so the owner's own records are looked at."""
    chain = read_grant_file(home.path / "grant.json")
    hands.step(HOUR)
    use(home, chain, GRANTED)
    hands.step(-HOUR)
    with pytest.raises(UnavailableError) as refused:
        use(home, chain, GRANTED)
    assert refused.value.code == "clock.behind"


def test_a_clock_behind_the_chain_is_noticed(home: Workspace, hands: Hands) -> None:
    """Not so on a development chain, whose blocks may run ahead."""
    register_number(home, 1)
    hands.step(HOUR)
    anchor(home)
    hands.step(-HOUR)
    register_number(home, 2)

    with home.database.write() as connection:
        check_clock(home, connection, clock.now() + 1)
    change_trust(
        home,
        lambda trust_list: replace(
            trust_list, chains=tuple(replace(chain, max_grade=Grade.FINAL_BFT) for chain in trust_list.chains)
        ),
        clock.now(),
    )
    with pytest.raises(UnavailableError, match="a block of chain") as refused, home.database.read() as connection:
        check_clock(home, connection, clock.now() + 2)
    assert refused.value.code == "clock.behind"


def test_a_home_that_is_behind_cosigns_no_other_log(home: Workspace, hands: Hands) -> None:
    """Also for a log that it never cosigned before: the line would say that nothing larger was seen by that time."""
    log = HandLog()
    home.settings = home.settings.model_copy(update={"witness": WitnessSettings(logs=(log.vkey,))})
    witness = Witness.open(home)
    hands.step(-HOUR)
    with pytest.raises(UnavailableError) as refused:
        witness.add_checkpoint(log.request(0, 3))
    assert refused.value.code == "clock.behind"
    hands.step(HOUR)
    assert isinstance(witness.add_checkpoint(log.request(0, 3)), Cosigned)


def test_the_service_refuses_and_comes_back(tmp_path: Path, hands: Hands) -> None:
    with make_workspace(tmp_path / "home") as workspace, running(workspace) as url:
        answers: list[httpx.Response] = []
        with httpx.Client(timeout=60, event_hooks={"response": [answers.append]}) as http:
            world = World(workspace, url, http=http)
            material = register(world)
            hands.step(-HOUR)
            submission = {"issuer": ISSUER, "type": "business-licence", "fields": new_fields()}
            with pytest.raises(ProblemError):
                world.client(ISSUER).register(submission, [("application/pdf", new_file())])
            answer = answers[-1]
            assert (answer.status_code, answer.json()["code"]) == (503, "clock.behind")
            assert int(answer.headers["retry-after"]) > 0
            kept = http.get(f"{url}/v1/status/materials")
            assert kept.status_code == 200
            assert http.get(f"{url}/v1/materials/{material}").status_code == 200
            assert read_checkpoint(http.get(f"{url}/log/checkpoint").content).origin == ORIGIN
            hands.step(HOUR)
            assert world.client(ISSUER).register(submission, [("application/pdf", new_file())])["is_new"]
