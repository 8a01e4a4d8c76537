"""A witness with a key after quantum beside its Ed25519 key: two lines in each answer, both kept and checked."""

import pytest
from sqlalchemy import Engine, select, update

from ledger.database import reading
from ledger.fsck_witness import check_witness
from ledger.witness import Conflict, Cosigned, Cosigner, Suspicion, TrustedLogs, cosign_request, open_request
from ledger.witness_store import SqlWitness
from ledger.witness_tables import heads
from signing import MlDsa44Signer, NoteKey, Secret, UnavailableError, open_note, parse_note
from signing.notes.note_key import ML_DSA_44
from tests.support.witness_desk import NAME, NOW, PUBLIC, SIGNER, head_of, make_tables
from tests.support.witness_log import HandLog, read_cosignature

FURTHER = MlDsa44Signer(Secret(b"\x21" * 32))
COSIGNER = Cosigner(NAME, SIGNER, FURTHER)
LOG = HandLog()


def ask(engine: Engine, body: bytes, cosigner: Cosigner = COSIGNER, now: int = NOW) -> Cosigned | Conflict | Suspicion:
    """One request, committed."""
    with engine.begin() as connection:
        return SqlWitness(connection).add(open_request(body, TrustedLogs.parse([LOG.vkey])), cosigner, now)


def held(engine: Engine) -> bytes:
    """The note that is remembered."""
    head = head_of(engine, LOG)
    return b"" if head is None else head.note


def codes(engine: Engine, *keys: bytes) -> list[str]:
    with reading(engine).connect() as connection:
        return [found.code for found in check_witness(connection, *keys)]


@pytest.fixture
def desk(engine: Engine) -> Engine:
    make_tables(engine)
    return engine


def test_both_lines_are_given_verified_and_kept(desk: Engine) -> None:
    answer = ask(desk, LOG.request(0, 5))
    assert isinstance(answer, Cosigned)
    first, second = answer.lines.splitlines(keepends=True)
    assert read_cosignature(first, LOG.text(5), NAME, PUBLIC) == NOW
    opened = open_note(LOG.checkpoint(5) + second, [NoteKey(NAME, ML_DSA_44, FURTHER.raw)])
    assert [(line.key.type, line.time) for line in opened.verified] == [(ML_DSA_44, NOW)]
    assert held(desk) == LOG.checkpoint(5) + answer.lines
    assert codes(desk, PUBLIC, FURTHER.raw) == []


def test_it_goes_on_from_a_head_of_one_line(desk: Engine) -> None:
    """The key may come later, and go again."""
    alone = Cosigner(NAME, SIGNER)
    ask(desk, LOG.request(0, 3), alone)
    assert isinstance(ask(desk, LOG.request(3, 5), now=NOW + 1), Cosigned)
    assert codes(desk, PUBLIC, FURTHER.raw) == []
    assert isinstance(ask(desk, LOG.request(5, 8), alone, now=NOW + 2), Cosigned)
    assert len(parse_note(held(desk)).signatures) == 2
    assert codes(desk, PUBLIC, FURTHER.raw) == []


def test_a_changed_second_line_is_found(desk: Engine) -> None:
    answer = ask(desk, LOG.request(0, 5))
    assert isinstance(answer, Cosigned)
    other = ask_elsewhere(LOG.request(0, 5), MlDsa44Signer(Secret(b"\x22" * 32)))
    with desk.begin() as connection:
        first = answer.lines.splitlines(keepends=True)[0]
        connection.execute(update(heads).values(cosignatures=first + other))
    assert codes(desk, PUBLIC, FURTHER.raw) == ["fsck.witness"]
    assert codes(desk, PUBLIC) == ["fsck.witness"], "a line that nobody can check"
    with desk.begin() as connection:
        connection.execute(update(heads).values(cosignatures=first))
    assert codes(desk, PUBLIC, FURTHER.raw) == []


def ask_elsewhere(body: bytes, further: MlDsa44Signer) -> bytes:
    """The second line that another key would have given."""
    lines = cosign_request(open_request(body, TrustedLogs.parse([LOG.vkey])), Cosigner(NAME, SIGNER, further), NOW)
    return lines.splitlines(keepends=True)[1]


def test_a_second_key_that_fails_gives_no_answer_at_all(desk: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MlDsa44Signer, "sign", lambda *_: bytes(2420))
    with pytest.raises(UnavailableError) as caught:
        ask(desk, LOG.request(0, 5))
    assert caught.value.code == "witness.signer"
    with desk.connect() as connection:
        assert connection.execute(select(heads.c.size)).scalars().all() in ([], [0])
