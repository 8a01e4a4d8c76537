"""One log on two chains: each goes its own way, bundles carry both proofs, the state of each is shown."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from api import clock
from api.anchor_status import NodesReport, read_status
from api.anchor_views import metrics_text
from api.anchoring import anchor_all
from api.bundling import make_bundle
from api.rollback_guard import guard_head
from api.settings import load_settings
from api.trust_lists import export_trust
from api.workspace import Workspace
from materials.bundle import parse_bundle
from materials.verification import verify_bundle
from signing import LedgerError, MalformedError, UnavailableError
from tests.support.command_line import ematerials
from tests.support.http_world import make_workspace
from tests.support.kill_worker import register_number

SECOND = '\n[chains.second]\nkind = "embedded"\npath = "second.db"\nchain_id = 20262\nalarm_entries = 2\n'


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace anchored on two chains."""
    folder = tmp_path_factory.mktemp("two") / "workspace"
    make_workspace(folder).close()
    with (folder / "ematerials.toml").open("a", encoding="utf-8") as stream:
        stream.write(SECOND)
    return folder


@pytest.fixture
def workspace(home: Path) -> Iterator[Workspace]:
    with Workspace.open(home) as opened:
        yield opened


def test_a_second_chain_from_settings_to_bundle(home: Path) -> None:
    refused = ematerials("anchor", "--chain", "second", "-w", home, "--json")
    assert (refused.code, refused.error_code) == (69, "chain.no-profile")
    first = ematerials("anchor", "deploy", "second", "-w", home, "--json")
    assert (first.code, first.json["chain_id"], first.json["new"]) == (0, 20262, True)
    assert ematerials("anchor", "deploy", "second", "-w", home, "--json").json["new"] is False
    with Workspace.open(home) as workspace:
        material = register_number(workspace, 1).record.jti
    ran = ematerials("anchor", "--chain", "main", "-w", home)
    assert ran.code == 0, ran.err
    with Workspace.open(home) as workspace:
        register_number(workspace, 2)  # the second chain will hold a larger tree
    both = ematerials("anchor", "-w", home, "--json")
    assert both.code == 0, both.out
    assert {name: each["state"] for name, each in both.json["chains"].items()} == {"main": "proven", "second": "proven"}
    with Workspace.open(home) as workspace:
        bundle, trust = make_bundle(workspace, material), export_trust(workspace, clock.now())
        parsed = parse_bundle(bundle)
        assert parsed.anchor is not None
        assert len(parsed.anchors) == 1
        report = verify_bundle(bundle, trust, now=clock.now(), catalogue=workspace.catalogue)
    assert report.verdict == "valid", report
    assert ematerials("fsck", "-w", home).code == 0


def test_status_of_both_with_alarms_and_an_exit_code(home: Path) -> None:
    ran = ematerials("anchor", "status", "-w", home, "--json")
    assert (ran.code, ran.json["alarm"]) == (0, False)
    main, second = ran.json["chains"]
    assert (main["name"], main["lag"], second["lag"]) == ("main", {"entries": 0, "seconds": 0}, main["lag"])
    assert main["anchored_size"] == main["log_size"] > 0
    assert main["block_number"] > 0
    assert [node["standing"] for node in (*main["nodes"], *second["nodes"])] == ["ok", "ok"]
    with Workspace.open(home) as workspace:
        for number in (11, 12, 13):
            register_number(workspace, number)
    ran = ematerials("anchor", "status", "-w", home, "--json")
    assert (ran.code, ran.json["alarm"]) == (4, True)
    main, second = ran.json["chains"]
    assert (main["alarms"], second["alarms"]) == ([], ["anchoring.lag-entries"])
    assert second["lag"]["entries"] == 3
    assert 0 <= second["lag"]["seconds"] < 600
    text = ematerials("anchor", "status", "-w", home)
    assert text.code == 4
    assert "告警 ALARM" in text.out
    assert "second（chain id 20262）" in text.out


def test_one_chain_away_holds_up_no_other(home: Path) -> None:
    (home / "second.db").rename(home / "away.db")
    try:
        with Workspace.open(home) as workspace:
            register_number(workspace, 21)
            results = anchor_all(workspace)
            assert not isinstance(results["main"], LedgerError)
            assert isinstance(results["second"], UnavailableError)
            now = clock.now()
            assert guard_head(workspace, now) is not None
        ran = ematerials("anchor", "-w", home, "--json")
        assert (ran.code, ran.json["chains"]["main"]) == (69, None)
        assert ran.json["chains"]["second"]["error"]["code"] == "chain.unreachable"
        status = ematerials("anchor", "status", "-w", home, "--json").json["chains"]
        assert (status[0]["lag"]["entries"], status[1]["code"]) == (0, "chain.unreachable")
    finally:
        (home / "away.db").rename(home / "second.db")
    assert ematerials("anchor", "-w", home).code == 0
    assert ematerials("anchor", "status", "-w", home).code == 0


def limited(workspace: Workspace, **limits: int) -> None:
    guard = workspace.settings.guard.model_copy(update=limits)
    workspace.settings = workspace.settings.model_copy(update={"guard": guard})


def test_while_all_chains_are_away_appends_stop_at_the_limit_if_there_is_one(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [home / "chain.db", home / "second.db"]
    for file in files:
        file.rename(file.with_suffix(".away"))
    try:
        with Workspace.open(home) as workspace:
            register_number(workspace, 31)  # no limit is set
            size = guard_head(workspace, clock.now())
            assert size is not None
            limited(workspace, lag_entries=3)
            register_number(workspace, 32)
            register_number(workspace, 33)
            with pytest.raises(UnavailableError) as refused:
                register_number(workspace, 34)
            assert refused.value.code == "log.chain-away"
            limited(workspace, lag_entries=100, lag_minutes=10)
            register_number(workspace, 34)
            with pytest.raises(UnavailableError) as refused:
                guard_head(workspace, clock.now() + 3600)
            assert refused.value.code == "log.chain-away"
    finally:
        for file in files:
            file.with_suffix(".away").rename(file)
    with Workspace.open(home) as workspace:
        limited(workspace, lag_entries=1, lag_minutes=1)
        register_number(workspace, 35)  # the chain answers: it is no matter how much waits
    assert ematerials("anchor", "-w", home).code == 0


def test_metrics_are_well_formed_and_say_the_same(workspace: Workspace) -> None:
    statuses = read_status(workspace, clock.now(), {"main": NodesReport()})
    text = metrics_text(statuses)
    sample = re.compile(r'[a-z_]+(\{[a-z_]+="[^"\\\n]*"(,[a-z_]+="[^"\\\n]*")*\})? \d+')
    lines = text.splitlines()
    assert text.endswith("\n")
    for line in lines:
        assert line.startswith(("# HELP ", "# TYPE ")) or sample.fullmatch(line), line
    assert f"ematerials_log_size {statuses[0].log_size}" in lines
    assert 'ematerials_anchor_lag_entries{chain="second"} 0' in lines
    assert 'ematerials_anchor_alarm{chain="main"} 0' in lines


@pytest.mark.parametrize(
    "text",
    [
        "[chains]\n",
        '[chains.a]\nkind = "embedded"\n[chains.b]\nkind = "embedded"\npath = "b.db"\n',  # which is which?
        '[chains.a]\nchain_id = 7\n[chains.b]\nchain_id = 7\npath = "b.db"\n',
        "[chains.a]\nchain_id = 7\n[chains.b]\nchain_id = 8\n",  # one file for two
        "[chains.Main]\n",
        '[chain]\nkind = "rpc"\n',
    ],
)
def test_settings_that_leave_it_open_which_chain_is_meant(tmp_path: Path, text: str) -> None:
    (tmp_path / "ematerials.toml").write_text('origin = "a"\noperator = "b"\nregion = "c"\n' + text)
    with pytest.raises(MalformedError) as refused:
        load_settings(tmp_path)
    assert refused.value.code == "settings.form"


def test_a_workspace_with_nothing_to_configure_has_the_embedded_chain(tmp_path: Path) -> None:
    (tmp_path / "ematerials.toml").write_text('origin = "a"\noperator = "b"\nregion = "c"\n')
    chains = load_settings(tmp_path).chains
    assert [(name, chain.kind, chain.path) for name, chain in chains.items()] == [("main", "embedded", "chain.db")]
