"""This home as a witness over HTTP: every status of C2SP tlog-witness, asked by a client that shares no code."""

import base64
import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from api import names
from api.cosigning import Witness
from api.settings import FILE_NAME, WitnessesSettings, WitnessSettings
from api.witnessing import ask_witnesses
from api.workspace import Workspace
from ledger import parse_policy
from ledger.witness import Cosigned
from tests.service.test_http_log import MiniClient
from tests.support.command_line import ematerials
from tests.support.http_world import ORIGIN as HOME_ORIGIN
from tests.support.http_world import World, list_signing_issuer, make_workspace, register, running
from tests.support.ledger_reference import mth, proof
from tests.support.together import run_together
from tests.support.witness_log import HandLog, key_id, read_cosignature, vkey

NAME = f"{HOME_ORIGIN}/witness"
FORK = hashlib.sha256(b"fork").digest()


@dataclass
class Asked:
    """A witness that is asked over HTTP, and its public key."""

    world: World
    public: bytes

    def post(self, body: bytes, **headers: str) -> httpx.Response:
        return self.world.http.post(f"{self.world.url}/witness/add-checkpoint", content=body, headers=headers)

    def get(self, origin: str) -> httpx.Response:
        digest = hashlib.sha256(origin.encode()).hexdigest()
        return self.world.http.get(f"{self.world.url}/witness/{digest}/checkpoint")


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    with make_workspace(tmp_path_factory.mktemp("witness") / "workspace") as workspace:
        signers = list_signing_issuer(workspace)
        logs = (workspace.log_key.format(), *(log_of(number).vkey for number in range(20)))
        write_settings(workspace, logs)
        workspace.settings = workspace.settings.model_copy(update={"witness": WitnessSettings(logs=logs)})
        with running(workspace) as url:
            public = workspace.keyring.public_key(names.WITNESS_KEY).raw
            world = World(workspace, url, signers)
            yield Asked(world, public)
            world.http.close()


def write_settings(workspace: Workspace, logs: tuple[str, ...]) -> None:
    with (workspace.path / FILE_NAME).open("a") as stream:
        stream.write(f"\n[witness]\nlogs = {json.dumps(logs)}\n")


def log_of(number: int) -> HandLog:
    """A log of its own for each test."""
    return HandLog(f"log{number}.example/x", hashlib.sha256(b"log %d" % number).digest())


def check(answer: httpx.Response, asked: Asked, log: HandLog, size: int) -> int:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    time = read_cosignature(answer.content, log.text(size), NAME, asked.public)
    assert time > 1_700_000_000
    return time


def check_conflict(answer: httpx.Response, size: int) -> None:
    assert (answer.status_code, answer.content) == (409, b"%d\n" % size)
    assert answer.headers["content-type"] == "text/x.tlog.size"


def check_problem(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_log_as_it_grows(asked: Asked) -> None:
    log = log_of(0)
    check_problem(asked.get(log.origin), 404, "witness.no-checkpoint")
    old = 0
    for size in (0, 1, 2, 5, 5, 8):
        check(asked.post(log.request(old, size)), asked, log, size)
        old = size
        published = asked.get(log.origin)
        assert published.status_code == 200
        assert published.headers["cache-control"] == "no-cache"
        note = log.checkpoint(size)
        assert published.content.startswith(note)
        read_cosignature(published.content.removeprefix(note), log.text(size), NAME, asked.public)


def test_400(asked: Asked) -> None:
    log = log_of(1)
    check(asked.post(log.request(0, 3)), asked, log, 3)
    good = log.request(3, 8)
    hash_line = b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
    for body in (
        b"",
        b"x",
        good[:-1],
        good.replace(b"old 3", b"old 03"),
        good.replace(b"old 3\n", b"old 3\n" + hash_line * 60),
        good.replace(b"old 3\n", b"old 3\nAAAA\n"),
        good.replace(b"\n", b"\r\n"),
        log.request(9, 8),
        log.request(4, 3, note=log.checkpoint(3)),
    ):
        assert asked.post(body).status_code == 400, body
    check(asked.post(good), asked, log, 8)


def test_too_large(asked: Asked) -> None:
    check_problem(asked.post(b"old 0\n\n" + b"x" * (1 << 20)), 413, "form.size")


def test_404_for_an_unknown_origin(asked: Asked) -> None:
    check_problem(asked.post(HandLog("unknown.example").request(0, 3)), 404, "witness.unknown-log")


def test_403_without_a_good_line_of_the_log(asked: Asked) -> None:
    log, stranger = log_of(2), HandLog(log_of(2).origin, bytes([7]) * 32)
    text_of_8 = log.text(8)
    false = log.line(log.text(7))
    for lines in (stranger.line(text_of_8), false, log.line(text_of_8) + false, log_of(3).line(text_of_8)):
        body = log.request(0, 8, note=text_of_8 + b"\n" + lines)
        check_problem(asked.post(body), 403, "witness.signature")
    body = log.request(0, 8, note=text_of_8 + b"\n" + stranger.line(text_of_8) + log.line(text_of_8))
    check(asked.post(body), asked, log, 8)


def test_409_names_the_size(asked: Asked) -> None:
    log = log_of(4)
    check_conflict(asked.post(log.request(3, 8)), 0)
    check(asked.post(log.request(0, 5)), asked, log, 5)
    for old, size in ((0, 8), (3, 8), (8, 8), (3, 4)):
        check_conflict(asked.post(log.request(old, size)), 5)


def test_422_and_the_evidence_of_a_lying_log(asked: Asked, tmp_path: Path) -> None:
    log = log_of(5)
    check_problem(asked.post(log.request(0, 0, note=log.checkpoint(0, FORK))), 422, "witness.empty-root")
    check_problem(asked.post(log.request(0, 3, hashes=[FORK])), 422, "witness.proof")
    check(asked.post(log.request(0, 5)), asked, log, 5)
    held = asked.get(log.origin).content
    fork = log.request(5, 5, note=log.checkpoint(5, FORK))
    check_problem(asked.post(fork), 422, "witness.fork")
    check_problem(asked.post(log.request(5, 5, hashes=[FORK])), 422, "witness.proof")
    check_problem(asked.post(log.request(5, 8, hashes=[FORK])), 422, "witness.proof")
    assert asked.get(log.origin).content == held
    check(asked.post(log.request(5, 8)), asked, log, 8)

    folder = asked.world.workspace.path
    shown = ematerials("witness", "evidence", "-w", folder, "--json", "--out", tmp_path / "out")
    mine = [each for each in shown.json["evidence"] if each["origin"] == log.origin]
    assert sorted(each["code"] for each in mine) == [
        "witness.empty-root",
        "witness.fork",
        "witness.proof",
        "witness.proof",
        "witness.proof",
    ]
    files = {
        path.suffix: path.read_bytes() for path in (tmp_path / "out").iterdir() if path.read_bytes() in (fork, held)
    }
    assert files[".request"] == fork
    check_shown_to_everyone(asked, log, fork, held)
    people = ematerials("witness", "evidence", "-w", folder)
    assert people.code == 0
    assert people.out.count(log.origin) == 5
    assert "[witness.fork]" in people.out


def check_shown_to_everyone(asked: Asked, log: HandLog, fork: bytes, held: bytes) -> None:
    """What the command shows is there over HTTP, byte for byte."""
    place = f"{asked.world.url}/witness/{hashlib.sha256(log.origin.encode()).hexdigest()}/evidence"
    listed = asked.world.http.get(place).json()["evidence"]
    assert len(listed) == 5
    shown = next(each for each in listed if each["code"] == "witness.fork")
    assert (shown["size"], base64.b64decode(shown["root"])) == (5, FORK)
    assert asked.world.http.get(asked.world.url + shown["request"]).content == fork
    assert asked.world.http.get(asked.world.url + shown["held"]).content == held
    missing = asked.world.http.get(f"{place}/witness.fork/6/{FORK.hex()}/request")
    check_problem(missing, 404, "witness.no-evidence")
    assert asked.world.http.get(f"{place}/witness.fork/06/{FORK.hex()}/request").status_code == 400
    assert asked.world.http.get(f"{place}/witness.fork/5/{FORK.hex()}/other").status_code == 400
    nobody = hashlib.sha256(b"nobody").hexdigest()
    assert asked.world.http.get(f"{asked.world.url}/witness/{nobody}/evidence").json() == {"evidence": []}
    assert "witness evidence" in ematerials("fsck", "-w", asked.world.workspace.path, "--processes", "1").out


def test_a_fork_is_kept_whatever_old_size_comes_with_it(asked: Asked) -> None:
    """The answer is still the one of the specification; both notes are the log's, and prove it."""
    log = log_of(11)
    check(asked.post(log.request(0, 5)), asked, log, 5)
    check_conflict(asked.post(log.request(3, 5, note=log.checkpoint(5, FORK))), 5)
    place = f"{asked.world.url}/witness/{hashlib.sha256(log.origin.encode()).hexdigest()}/evidence"
    assert [each["code"] for each in asked.world.http.get(place).json()["evidence"]] == ["witness.fork"]
    check_conflict(asked.post(log.request(3, 5)), 5)
    assert len(asked.world.http.get(place).json()["evidence"]) == 1
    found = ematerials("fsck", "-w", asked.world.workspace.path, "--processes", "1", "--json").json["findings"]
    assert [each for each in found if each["code"] == "fsck.witness"] == []


def test_the_same_checkpoint_again_is_a_fresh_cosignature(asked: Asked) -> None:
    log = log_of(12)
    first = check(asked.post(log.request(0, 5)), asked, log, 5)
    time.sleep(1.1)
    assert check(asked.post(log.request(5, 5)), asked, log, 5) > first


def test_a_line_after_quantum_beside_the_first(asked: Asked) -> None:
    """With ``ml_dsa``: a key of its own, kept; both lines satisfy a policy of somebody else."""
    settings = asked.world.workspace.settings
    assert settings.witness is not None
    wanted = settings.witness.model_copy(update={"ml_dsa": True})
    log = log_of(13)
    with Workspace.open(asked.world.workspace.path) as workspace:
        workspace.settings = settings.model_copy(update={"witness": wanted})
        witness = Witness.open(workspace)
        assert witness.keys == Witness.open(workspace).keys
        answer = witness.add_checkpoint(log.request(0, 5))
        assert isinstance(answer, Cosigned)
        policy = f"log {log.vkey}\n" + "".join(
            f"witness w{number} {key.format()}\n" for number, key in enumerate(witness.keys)
        )
        both = parse_policy(f"{policy}group g all w0 w1\nquorum g\n".encode())
        assert [each.key.type for each in both.witnesses] == [0x04, 0x06]
        assert len(both.check(log.checkpoint(5) + answer.lines).cosigned) == 2
        refused = ematerials("key", "rotate", names.WITNESS_SEED, "-w", workspace.path, "--json")
        assert refused.error_code == "key.fixed"
    found = ematerials("fsck", "-w", asked.world.workspace.path, "--processes", "1", "--json").json["findings"]
    assert [each for each in found if each["code"] == "fsck.witness"] == []


def test_of_two_at_once_one_is_cosigned(asked: Asked) -> None:
    log = log_of(6)
    check(asked.post(log.request(0, 3)), asked, log, 3)
    answers: list[httpx.Response] = []
    works = [lambda size=size: answers.append(asked.post(log.request(3, size))) for size in (4, 5, 6, 7, 8)]
    run_together(*works)
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200, 409, 409, 409, 409]


def test_5xx_without_a_database_and_never_a_cosignature(asked: Asked) -> None:
    log, engine = log_of(7), asked.world.workspace.database.engine
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE witness_heads RENAME TO away"))
    try:
        answer = asked.post(log.request(0, 3))
        check_problem(answer, 503, "database.unavailable")
        assert answer.headers["retry-after"]
    finally:
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE away RENAME TO witness_heads"))
    check(asked.post(log.request(0, 3)), asked, log, 3)


def test_one_spelling_of_each_path(asked: Asked) -> None:
    log = log_of(8)
    check(asked.post(log.request(0, 3)), asked, log, 3)
    digest = hashlib.sha256(log.origin.encode()).hexdigest()
    for path in (digest.upper(), digest[:-1], f"%3{digest[0]}{digest[1:]}", f"/{digest}", "x"):
        assert asked.world.http.get(f"{asked.world.url}/witness/{path}/checkpoint").status_code == 404, path
    assert asked.world.http.get(f"{asked.world.url}/witness/add-checkpoint").status_code == 405
    assert asked.world.http.head(f"{asked.world.url}/witness/{digest}/checkpoint").status_code == 200


def test_our_witness_cosigns_our_own_log_as_it_grows(asked: Asked) -> None:
    """A feeder that reads the log's tiles, and trusts nothing: it computes proofs from the entries."""
    old = 0
    for _ in range(3):
        register(asked.world)
        client = MiniClient(asked.world)
        entries, note = client.entries(), client.get("checkpoint")
        assert mth(entries[: client.size]) == client.root
        hashes = proof(old, entries) if old else []
        answer = asked.post(HandLog().request(old, 0, hashes=hashes, note=note))
        assert answer.status_code == 200, answer.text
        read_cosignature(answer.content, note[: note.index(b"\n\n") + 1], NAME, asked.public)
        assert asked.get(HOME_ORIGIN).content == note + answer.content
        old = client.size


def test_two_parts_of_ours_understand_each_other(asked: Asked) -> None:
    """The client of this home asks its own witness over HTTP, which has seen the log before, or not."""
    workspace = asked.world.workspace
    policy = f"witness we {Witness.open(workspace).keys[0].format()} {asked.world.url}/witness\nquorum we\n"
    (workspace.path / "witness.policy").write_text(policy)
    settings = workspace.settings
    workspace.settings = settings.model_copy(update={"witnesses": WitnessesSettings()})
    try:
        for _ in range(2):
            register(asked.world)
            done = ask_witnesses(workspace)
            assert (done.missing, [each.witness.name for each in done.cosigned]) == (None, [b"we"])
            assert asked.world.http.get(f"{asked.world.url}/log/checkpoint").content == asked.get(HOME_ORIGIN).content
    finally:
        workspace.settings = settings


def test_the_key_and_the_state_are_shown(asked: Asked) -> None:
    folder = asked.world.workspace.path
    key = ematerials("witness", "key", "-w", folder, "--json").json
    vkeys = {"vkey": vkey(NAME, 4, asked.public), "plain_vkey": vkey(NAME, 1, asked.public), "ml_dsa_vkey": None}
    assert key == {"name": NAME, **vkeys}
    assert ematerials("witness", "key", "-w", folder).out.split() == [key["vkey"], key["plain_vkey"]]
    assert key_id(NAME, 4, asked.public).hex() in key["vkey"]
    assert asked.public != asked.world.workspace.log_key.public_key
    log = log_of(9)
    check(asked.post(log.request(0, 8)), asked, log, 8)
    logs = {each["origin"]: each for each in ematerials("witness", "status", "-w", folder, "--json").json["logs"]}
    assert (logs[log.origin]["size"], logs[log.origin]["witnessed"]) == (8, True)
    assert logs[log_of(19).origin]["size"] is None
    assert log.origin in ematerials("witness", "status", "-w", folder).out


def test_the_key_stays_and_is_not_replaced(asked: Asked) -> None:
    assert Witness.open(asked.world.workspace).keys[0].public_key == asked.public
    refused = ematerials("key", "rotate", names.WITNESS_KEY, "-w", asked.world.workspace.path, "--json")
    assert refused.error_code == "key.fixed"


def test_a_home_that_is_no_witness(world: World) -> None:
    assert world.http.post(f"{world.url}/witness/add-checkpoint", content=b"").status_code == 404
    assert names.WITNESS_KEY not in world.workspace.keyring
    answer = ematerials("witness", "key", "-w", world.workspace.path, "--json")
    assert (answer.code, answer.error_code) == (69, "witness.not-configured")


def test_a_wrong_key_in_the_settings(tmp_path: Path) -> None:
    with make_workspace(tmp_path / "workspace") as workspace:
        write_settings(workspace, ("x+00000000+AAAA",))
        answer = ematerials("witness", "status", "-w", workspace.path, "--json")
        assert (answer.code, answer.error_code) == (1, "settings.form")
        assert "witness.logs" in answer.json["error"]["message"]
