"""The thread beside the requests: it anchors, says when the chain is away, and never stops the service."""

import json
from collections.abc import Iterator
from threading import Timer

import pytest

from anchors.devchain.chain import open_dev_chain
from api import anchoring as operations
from api import clock, names
from api.client import ProblemError
from api.http.background import Anchoring, AnchoringReport, ChainState
from api.rollback_guard import guard_head
from api.workspace import Workspace
from ledger import Checkpoint, RootHash
from materials.store.status_archive import SqlStatusArchive
from signing import UnavailableError, VerificationError
from tests.support.http_world import ISSUER, World, make_workspace, new_fields, new_file, register, running, wait_for


def readiness(world: World) -> dict[str, object]:
    answer = json.loads(world.client().get("/readyz"))
    assert isinstance(answer, dict)
    return answer


def test_readiness_shows_how_far_anchoring_is(world: World) -> None:
    register(world)
    wait_for(lambda: readiness(world)["anchored_size"] == readiness(world)["log_size"])
    assert readiness(world)["chain"] == "reachable"


def test_the_service_holds_the_chain_and_another_writer_is_told(world: World) -> None:
    wait_for(lambda: readiness(world)["chain"] == "reachable")
    path = world.workspace.path / world.workspace.settings.chains["main"].path
    with pytest.raises(UnavailableError) as locked:
        open_dev_chain(path, clock=clock.now, random_bytes=clock.random_bytes)
    assert locked.value.code == "devchain.locked"


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace whose service the tests start and stop themselves."""
    with make_workspace(tmp_path_factory.mktemp("apart") / "workspace") as workspace:
        yield workspace


def test_registration_goes_on_while_the_chain_is_away_and_catches_up(apart: Workspace) -> None:
    path = apart.path / apart.settings.chains["main"].path
    holder = open_dev_chain(path, clock=clock.now, random_bytes=clock.random_bytes)
    with running(apart) as url:
        world = World(apart, url)
        try:
            wait_for(lambda: readiness(world)["chain"] == "away")
            assert readiness(world)["ready"] is True
            assert readiness(world)["chain_code"] == "devchain.locked"
            material = register(world)
            assert world.client().material(material)["anchored"] is False
            report = world.client().verify(world.client(ISSUER).bundle(material))
            assert report["verdict"] == "undetermined"
        finally:
            holder.close()
        wait_for(lambda: bool(world.client().material(material)["anchored"]))
        wait_for(lambda: readiness(world)["chain"] == "reachable")  # reported after the proof was committed
        world.http.close()
    assert apart.anchored_head is None
    open_dev_chain(path, clock=clock.now, random_bytes=clock.random_bytes).close()  # given back


def test_a_chain_that_contradicts_the_log_stops_appends_until_they_agree(
    apart: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(apart) as url:
        world = World(apart, url)
        wait_for(lambda: readiness(world)["chain"] == "reachable")
        real = operations.look_at_head

        def contradicted(*_: object) -> None:
            raise VerificationError("log.behind-chain", "the chain holds a larger tree")

        monkeypatch.setattr("api.http.background.look_at_head", contradicted)
        wait_for(lambda: readiness(world)["chain"] == "stopped")
        assert readiness(world)["chain_code"] == "log.behind-chain"
        submission = {"issuer": ISSUER, "type": "business-licence", "fields": new_fields()}
        file = [("application/pdf", new_file())]
        with pytest.raises(ProblemError) as refused:
            world.client(ISSUER).register(submission, file)
        assert (refused.value.status, refused.value.code) == (503, "log.behind-chain")
        monkeypatch.setattr("api.http.background.look_at_head", real)
        wait_for(lambda: readiness(world)["chain"] == "reachable")
        assert world.client(ISSUER).register(submission, file)["is_new"]
        world.http.close()


def test_an_append_is_guarded_by_what_the_threads_saw(apart: Workspace) -> None:
    anchoring = Anchoring(apart)
    thread = anchoring._chains[0]
    thread.looked.set()
    head = anchoring.head()
    assert head is not None  # as last proved: nothing was seen yet
    assert head.size > 0
    thread.head = Checkpoint(head.origin, head.size + 10**6, RootHash(bytes(32)))
    thread.report = AnchoringReport(ChainState.REACHABLE, looked_at=clock.now())
    apart.anchored_head = anchoring.head
    try:
        signer = apart.keyring.signer("home.log")
        with pytest.raises(VerificationError) as refused, apart.database.write() as connection:
            apart.log(connection).append([b"x"], signer=signer, known_head=guard_head(apart, clock.now()))
    finally:
        apart.anchored_head = None
    assert refused.value.code == "log.behind-chain"


def test_the_first_append_waits_for_the_first_look(apart: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    operations.anchor(apart)  # whichever tests ran before
    anchoring = Anchoring(apart)
    thread = anchoring._chains[0]

    def look_late() -> None:
        thread.contradiction = VerificationError("log.behind-chain", "the chain holds a larger tree")
        thread.looked.set()

    timer = Timer(0.3, look_late)
    timer.start()
    with pytest.raises(VerificationError, match="larger tree"):
        anchoring.head()
    timer.join()
    monkeypatch.setattr("api.http.background.FIRST_LOOK_SECONDS", 0.01)
    assert Anchoring(apart).head() is not None  # a chain that says nothing at all doesn't hold up registration


def test_the_threads_outlive_anything_and_end_when_told(apart: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def broken(*_: object) -> None:
        calls.append("publish")
        raise RuntimeError("a driver's own words about 张三")

    def broken_chain(*_: object, **__: object) -> None:
        calls.append("chain")
        raise RuntimeError("a driver's own words about 张三")

    monkeypatch.setattr("api.http.background.renew_trust", broken)
    monkeypatch.setattr("api.http.background.chain_of", broken_chain)
    monkeypatch.setattr("api.http.background.MAX_WAIT_SECONDS", 0.01)
    service = apart.settings.service.model_copy(update={"anchor_every_seconds": 0.01})
    monkeypatch.setattr(apart, "settings", apart.settings.model_copy(update={"service": service}))
    anchoring = Anchoring(apart)
    anchoring.start()
    try:
        wait_for(lambda: calls.count("chain") > 3 and calls.count("publish") > 3)
        assert anchoring.report.state is ChainState.AWAY
        assert anchoring.report.code == "anchoring.failed"
    finally:
        anchoring.stop()


def test_the_service_publishes_both_status_lists_unasked(world: World) -> None:
    """Soon after it began: the thread may not have come to it when the first request is answered."""
    origin = world.workspace.settings.origin

    def published() -> bool:
        with world.workspace.database.read() as connection:
            archive = SqlStatusArchive(connection)
            latest = [archive.latest(uri) for uri in (names.status_uri(origin), names.grant_status_uri(origin))]
        return all(each is not None and each.exp > clock.now() for each in latest)

    wait_for(published)
