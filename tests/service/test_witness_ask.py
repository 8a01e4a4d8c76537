"""This home's log asks witnesses: retries, alarms, what is attached, and whether the policy is met."""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from sqlalchemy import delete, update

from api import clock
from api.anchoring import anchor
from api.checking import fsck
from api.settings import FILE_NAME, WitnessesSettings
from api.witnessing import MAX_TRIES, Witnessing, ask_witnesses
from api.workspace import Workspace
from ledger import parse_policy, read_checkpoint
from ledger.cosignatures import SqlCosignatures
from ledger.export import export_log
from ledger.reading import LogReader
from ledger.tables import cosignatures
from signing import LedgerError, MalformedError, NoteKey, UnavailableError, VerificationError, parse_note
from tests.support.command_line import ematerials
from tests.support.hand_witness import SIZE, TEXT, Answer, HandWitness, serving
from tests.support.http_world import running, wait_for
from tests.support.ledger_reference import mth
from tests.support.workspace_world import Story

QUORUM = "group two 2 w0 w1 w2\nquorum two\n"


class Log:
    """A home with three witnesses of its log, asked under a policy of two."""

    def __init__(self, workspace: Workspace, witnesses: list[HandWitness]) -> None:
        self.workspace = workspace
        self.witnesses = witnesses

    def ask(self) -> Witnessing:
        return ask_witnesses(self.workspace)

    def note(self, size: int | None = None) -> bytes:
        with self.workspace.database.read() as connection:
            log = self.workspace.log(connection)
            return log.checkpoint_at(log.size() if size is None else size) or b""

    def size(self) -> int:
        return read_checkpoint(self.note()).size

    def own(self) -> bytes:
        with self.workspace.database.read() as connection:
            return self.workspace.log(connection).own_checkpoint_at(self.size()) or b""

    def root_of(self, size: int) -> bytes:
        """From the entries, the slow way."""
        with self.workspace.database.read() as connection:
            log = self.workspace.log(connection)
            return mth([log.entry(index) or b"" for index in range(size)])

    def grow(self, entry: bytes) -> None:
        with self.workspace.database.write() as connection:
            signer = self.workspace.keyring.signer("home.log")
            self.workspace.log(connection).append([entry], signer=signer, known_head=None)

    def errors(self, asked: Witnessing) -> dict[str, str]:
        return {each.witness: each.outcome.code for each in asked.attempts if isinstance(each.outcome, LedgerError)}


@pytest.fixture
def log(story: Story, tmp_path: Path) -> Iterator[Log]:
    folder = story.copy(tmp_path / "workspace")
    with Workspace.open(folder) as workspace, ExitStack() as stack:
        key = workspace.log_key
        made = [
            HandWitness(f"w{number}.example", hashlib.sha256(b"%d" % number).digest(), key.name, key.public_key)
            for number in range(3)
        ]
        witnesses = [stack.enter_context(serving(each)) for each in made]
        lines = [f"witness w{number} {each.vkey} {each.url}" for number, each in enumerate(witnesses)]
        (folder / "witness.policy").write_text("\n".join([*lines, QUORUM]))
        with (folder / FILE_NAME).open("a") as stream:
            stream.write("\n[witnesses]\ntimeout = 3\n")
        workspace.settings = workspace.settings.model_copy(update={"witnesses": WitnessesSettings(timeout=3)})
        yield Log(workspace, witnesses)


def test_all_cosign_and_the_note_carries_it(log: Log) -> None:
    before = log.note()
    asked = log.ask()
    assert asked.missing is None
    assert [each.witness.name for each in asked.cosigned] == [b"w0", b"w1", b"w2"]
    note = log.note()
    assert note.startswith(before)
    assert sorted(note.removeprefix(before).splitlines(keepends=True)) == sorted(
        witness.line(parse_note(note).text) for witness in log.witnesses
    )
    assert log.own() == before
    policy = (log.workspace.path / "witness.policy").read_bytes()
    accepted = parse_policy(b"log " + log.workspace.log_key.format().encode() + b"\n" + policy).check(note)
    assert accepted.checkpoint.size == log.size()


def test_as_the_log_grows_each_is_asked_from_what_it_has(log: Log) -> None:
    log.ask()
    sizes = [log.size()]
    for number in range(3):
        log.grow(b"entry %d" % number)
        assert log.ask().missing is None
        sizes.append(log.size())
    assert log.witnesses[0].asked == [0, *sizes[:-1]]
    assert all(witness.root == log.root_of(sizes[-1]) for witness in log.witnesses)
    assert all(len(parse_note(log.note(size)).signatures) == 4 for size in sizes)


def test_who_has_cosigned_is_not_asked_again(log: Log) -> None:
    log.ask()
    asked = log.ask()
    assert (asked.attempts, asked.missing, len(asked.cosigned)) == ((), None, 3)
    assert [len(witness.asked) for witness in log.witnesses] == [1, 1, 1]


def test_a_409_is_followed(log: Log) -> None:
    """Somebody else fed this witness before: the first guess is wrong, the second right."""
    witness = log.witnesses[0]
    witness.size, witness.root = 2, log.root_of(2)
    assert log.errors(log.ask()) == {}
    assert witness.asked == [0, 2]


def test_a_witness_that_always_moves_on_is_left_in_the_end(log: Log) -> None:
    sizes = iter(range(1, 10))
    log.witnesses[0].misbehave = lambda _: (409, SIZE, b"%d\n" % next(sizes))
    asked = log.ask()
    assert log.errors(asked) == {"w0": "witness.busy"}
    assert len(log.witnesses[0].asked) == MAX_TRIES
    assert asked.missing is None


def test_a_witness_that_knows_more_of_our_log_is_an_alarm(log: Log) -> None:
    log.witnesses[1].size = log.size() + 5
    asked = log.ask()
    assert log.errors(asked) == {"w1": "log.behind-witness"}
    assert len(log.witnesses[1].asked) == 1
    shown = ematerials("witness", "ask", "-w", log.workspace.path, "--json")
    assert shown.code == 1
    assert shown.json["failed"][0]["code"] == "log.behind-witness"


def test_a_log_that_grew_meanwhile_is_none(log: Log) -> None:
    def grow(_: bytes) -> Answer:
        log.grow(b"meanwhile")
        return 409, SIZE, b"%d\n" % log.size()

    log.witnesses[0].misbehave = grow
    assert log.errors(log.ask()) == {"w0": "witness.moved-on"}


def test_a_fork_of_ours_is_refused_by_the_witness(log: Log) -> None:
    log.witnesses[0].size, log.witnesses[0].root = 2, bytes(32)
    asked = log.ask()
    assert log.errors(asked) == {"w0": "witness.refused"}
    assert isinstance(asked.attempts[0].outcome, VerificationError)


ANSWERS: list[tuple[Callable[[HandWitness, bytes], Answer], str]] = [
    (lambda w, b: (200, TEXT, b""), "witness.no-cosignature"),
    (lambda w, b: (200, TEXT, b"hello\n"), "note.line"),
    (lambda w, b: (200, TEXT, w.line(b"another\n1\nx\n")), "note.signature"),
    (lambda w, b: (200, TEXT, w.line(_text(b), 0)), "note.signature"),
    (lambda w, b: (200, TEXT, w.line(_text(b), 2**62)), "witness.time"),
    (lambda w, b: (200, TEXT, w.line(_text(b))[:-1]), "witness.answer"),
    (lambda w, b: (200, TEXT, b"x" * (1 << 20)), "witness.unreachable"),
    (lambda w, b: (409, SIZE, b"x\n"), "witness.unreachable"),
    (lambda w, b: (409, TEXT, b"5\n"), "witness.conflict"),
    (lambda w, b: (400, TEXT, b""), "witness.refused"),
    (lambda w, b: (403, TEXT, b""), "witness.refused"),
    (lambda w, b: (404, TEXT, b""), "witness.refused"),
    (lambda w, b: (422, TEXT, b""), "witness.refused"),
    (lambda w, b: (500, TEXT, b""), "witness.unreachable"),
    (lambda w, b: (302, TEXT, b""), "witness.unreachable"),
]


def _text(body: bytes) -> bytes:
    return body.split(b"\n\n")[1] + b"\n"


def test_whatever_a_witness_answers_nothing_false_is_attached(log: Log) -> None:
    for misbehave, code in ANSWERS:
        log.witnesses[0].asked.clear()
        log.witnesses[0].misbehave = lambda body, misbehave=misbehave: misbehave(log.witnesses[0], body)
        asked = log.ask()
        assert log.errors(asked) == {"w0": code}
        assert len(log.witnesses[0].asked) == 1
        assert asked.missing is None
        assert len(parse_note(log.note()).signatures) == 3


def test_lines_of_others_are_ignored(log: Log) -> None:
    first, second, third = log.witnesses
    first.misbehave = lambda body: (200, TEXT, third.line(_text(body)) + first.line(_text(body)))
    third.misbehave = second.misbehave = lambda _: (500, TEXT, b"")
    asked = log.ask()
    assert [each.witness.name for each in asked.cosigned] == [b"w0"]
    assert "two has 1 of 2, without w1, w2" in str(asked.missing)


def test_the_quorum_is_never_taken_as_met(log: Log) -> None:
    for witness in log.witnesses[1:]:
        witness.misbehave = lambda _: (503, TEXT, b"")
    asked = log.ask()
    assert isinstance(asked.missing, VerificationError)
    assert asked.missing.code == "policy.quorum"
    shown = ematerials("witness", "ask", "-w", log.workspace.path, "--json")
    assert shown.code == 2
    assert (shown.json["quorum_met"], list(shown.json["cosigned"])) == (False, ["w0"])
    assert {each["witness"] for each in shown.json["failed"]} == {"w1", "w2"}
    people = ematerials("witness", "ask", "-w", log.workspace.path)
    assert "[policy.quorum]" in people.out
    for witness in log.witnesses:
        witness.misbehave = None
    assert ematerials("witness", "ask", "-w", log.workspace.path).code == 0


def test_a_slow_witness_holds_nothing_up_beyond_the_limit(log: Log) -> None:
    def slow(_: bytes) -> Answer:
        time.sleep(6)
        return 500, TEXT, b""

    log.witnesses[0].misbehave = slow
    began = time.monotonic()
    asked = log.ask()
    assert time.monotonic() - began < 5.5
    assert log.errors(asked) == {"w0": "witness.unreachable"}
    assert asked.missing is None


def test_settings_name_urls_and_a_policy_must_be_there(log: Log) -> None:
    path = log.workspace.path / "witness.policy"
    lines = [f"witness w{number} {each.vkey}" for number, each in enumerate(log.witnesses)]
    path.write_text("\n".join([*lines, QUORUM]))
    assert set(log.errors(log.ask()).values()) == {"witness.no-url"}
    urls = {f"w{number}": each.url for number, each in enumerate(log.witnesses)}
    settings = WitnessesSettings(urls=urls, timeout=3)
    log.workspace.settings = log.workspace.settings.model_copy(update={"witnesses": settings})
    assert log.ask().missing is None
    path.write_text("")
    with pytest.raises(MalformedError):
        log.ask()
    path.unlink()
    with pytest.raises(UnavailableError) as caught:
        log.ask()
    assert caught.value.code == "witness.no-policy"
    log.workspace.settings = log.workspace.settings.model_copy(update={"witnesses": None})
    with pytest.raises(UnavailableError) as caught:
        log.ask()
    assert caught.value.code == "witness.not-configured"


def test_anchor_proofs_and_exports_of_a_cosigned_checkpoint(log: Log, tmp_path: Path) -> None:
    log.grow(b"to be anchored")
    log.ask()
    anchor(log.workspace)
    with log.workspace.database.read() as connection:
        export_log(LogReader(connection, log.workspace.settings.origin), tmp_path / "out")
    assert (tmp_path / "out" / "checkpoint").read_bytes() == log.note()
    assert len(parse_note(log.note()).signatures) == 4
    assert list(fsck(log.workspace, clock.now())) == []


def test_fsck_names_a_changed_cosignature(log: Log) -> None:
    log.ask()
    changes = ({"line": log.witnesses[0].line(b"x\n1\ny\n")}, {"time": 7}, {"vkey": "x"}, {"line": b""}, {"size": 2})
    with log.workspace.database.read() as connection:
        rows = connection.execute(cosignatures.select()).mappings().all()
    for change in changes:
        first = cosignatures.c.vkey == log.witnesses[0].vkey
        with log.workspace.database.write() as connection:
            connection.execute(update(cosignatures).where(first).values(**change))
        assert [found.code for found in fsck(log.workspace, clock.now())] == ["fsck.cosignature"], change
        with log.workspace.database.write() as connection:
            connection.execute(delete(cosignatures))
            connection.execute(cosignatures.insert(), [dict(row) for row in rows])
    assert list(fsck(log.workspace, clock.now())) == []


def test_the_first_line_of_a_witness_stays(log: Log) -> None:
    log.ask()
    key = NoteKey.parse(log.witnesses[0].vkey)
    with log.workspace.database.read() as connection:
        kept = SqlCosignatures(connection, log.workspace.settings.origin)
        assert kept.last_size(key) == log.size()
        assert kept.last_size(log.workspace.log_key.cosigner()) == 0


def test_the_service_asks_by_itself_and_says_what_is_missing(log: Log) -> None:
    for witness in log.witnesses[1:]:
        witness.misbehave = lambda _: (503, TEXT, b"")
    with running(log.workspace) as url, httpx.Client() as client:
        wait_for(lambda: client.get(f"{url}/readyz").json()["witness_code"] == "policy.quorum")
        for witness in log.witnesses:
            witness.misbehave = None
        wait_for(lambda: client.get(f"{url}/readyz").json()["witness_code"] == "ok")
        assert client.get(f"{url}/log/checkpoint").content == log.note()
        assert len(parse_note(log.note()).signatures) == 4
