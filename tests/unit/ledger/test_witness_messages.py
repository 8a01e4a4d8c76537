"""add-checkpoint, its answers, and what a witness decides before it looks at what it remembers."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey

from ledger import Checkpoint, RootHash
from ledger.witness import Conflict, Cosigner, Suspicion, TrustedLogs, cosign_request, judge, open_request
from ledger.witness_messages import (
    REQUEST_MAX_BYTES,
    format_add_checkpoint,
    format_size,
    parse_add_checkpoint,
    parse_size,
    read_cosignatures,
)
from signing import (
    Ed25519Signer,
    LedgerError,
    MalformedError,
    NoteKey,
    RefusedError,
    Secret,
    UnavailableError,
    VerificationError,
    parse_note,
)
from tests.support.ledger_reference import mth, proof
from tests.support.witness_log import LEAVES, ORIGIN, HandLog, b64, key_id, read_cosignature, vkey

LOG = HandLog()
LOGS = TrustedLogs.parse([LOG.vkey])
NAME = "witness.example/w1"
WITNESS = Ed25519Signer(bytes(32))
KEY = NoteKey.of(NAME, WITNESS.public_key).cosigner()
LINE = (
    "— witness.example/w1 "
    "5CsvLAAAAABlU/EAtawYjGMZEGfUoNTvpRe2F0X/9IevILijsPtox5uXhZ3y3ZU2x/+TZLyVdezroobmkibOhZjVSwseGZnWmolECA==\n"
).encode()
REQUEST = LOG.request(3, 8)
OTHER_ROOT = hashlib.sha256(b"other").digest()


def head(size: int) -> Checkpoint:
    return Checkpoint(ORIGIN, size, RootHash(mth(LEAVES[:size])))


def test_the_worked_request() -> None:
    assert len(REQUEST) == 374
    assert hashlib.sha256(REQUEST).hexdigest() == "0c4a2e7604a342611da7294a7bdbf45ce90db136049433d46af675c83c5018ee"
    request = parse_add_checkpoint(REQUEST)
    assert (request.raw, request.old_size, request.head, request.root) == (REQUEST, 3, head(8), head(8).root)
    assert request.proof == tuple(proof(3, LEAVES))
    assert format_add_checkpoint(3, request.proof, LOG.checkpoint(8)) == REQUEST


def test_the_worked_cosignature() -> None:
    signed = open_request(REQUEST, LOGS)
    assert judge(signed.request, head(3)) is None
    line = cosign_request(signed, Cosigner(NAME, WITNESS), 1700000000)
    assert line == LINE
    assert read_cosignature(line, LOG.text(8), NAME, WITNESS.public_key.raw) == 1700000000
    cosigned = hashlib.sha256(signed.note + line).hexdigest()
    assert cosigned == "2c7177fcd5f64ef6d601f786bede9ead904142194f0e462c6ad049a1fb102355"


def test_what_is_kept_of_the_note_is_what_was_verified() -> None:
    stranger = HandLog("stranger.example", bytes([9]) * 32)
    own, text = LOG.line(LOG.text(8)), LOG.text(8)
    note = text + b"\n" + stranger.line(text) + own + own + LINE
    assert open_request(LOG.request(3, 8, note=note), LOGS).note == LOG.checkpoint(8)


@pytest.mark.parametrize("old", [0, 1, 3, 7, 8])
@pytest.mark.parametrize("size", [0, 1, 3, 7, 8])
def test_every_pair_of_sizes(old: int, size: int) -> None:
    if old > size:
        with pytest.raises(MalformedError):
            open_request(LOG.request(old, size), LOGS)
        return
    request = open_request(LOG.request(old, size), LOGS).request
    assert judge(request, head(old) if old else None) is None
    assert judge(request, Checkpoint(ORIGIN, 5, RootHash(mth(LEAVES[:5])))) == Conflict(5)


def test_the_first_request_needs_old_0_and_no_proof() -> None:
    assert judge(parse_add_checkpoint(LOG.request(3, 8)), None) == Conflict(0)
    assert code_of(LOG.request(0, 8, hashes=[OTHER_ROOT]), None) == "witness.proof"


def code_of(data: bytes, last: Checkpoint | None) -> str:
    verdict = judge(open_request(data, LOGS).request, last)
    assert isinstance(verdict, Suspicion)
    return verdict.code


def test_suspicions() -> None:
    good = proof(3, LEAVES)
    assert code_of(LOG.request(8, 8, note=LOG.checkpoint(8, OTHER_ROOT)), head(8)) == "witness.fork"
    assert code_of(LOG.request(8, 8, hashes=[OTHER_ROOT]), head(8)) == "witness.proof"
    assert code_of(LOG.request(0, 0, note=LOG.checkpoint(0, OTHER_ROOT)), None) == "witness.empty-root"
    for hashes in ([], good[:-1], [*good, OTHER_ROOT], good[::-1], [OTHER_ROOT, *good[1:]], [OTHER_ROOT] * 63):
        assert code_of(LOG.request(3, 8, hashes=hashes), head(3)) == "witness.proof"


def test_the_proof_starts_at_what_is_remembered() -> None:
    """A log that lies about the past proves its new tree from its own old one: of no avail."""
    liar = HandLog(entries=[b"another past", *LEAVES[1:]])
    assert code_of(liar.request(3, 8), head(3)) == "witness.proof"
    its_own = Checkpoint(ORIGIN, 3, RootHash(mth(liar.entries[:3])))
    assert judge(open_request(liar.request(3, 8), LOGS).request, its_own) is None


def test_who_may_ask() -> None:
    unknown = HandLog("unknown.example")
    with pytest.raises(RefusedError) as caught:
        open_request(unknown.request(0, 3), LOGS)
    assert caught.value.code == "witness.unknown-log"
    text = LOG.text(8)
    forged = LOG.line(LOG.text(7))
    for lines in (HandLog(seed=bytes([9]) * 32).line(text), LINE, forged, LOG.line(text) + forged):
        with pytest.raises(RefusedError) as caught:
            open_request(LOG.request(3, 8, note=text + b"\n" + lines), LOGS)
        assert caught.value.code == "witness.signature"
    other = HandLog("other.example", bytes([4]) * 32)
    both = TrustedLogs.parse([LOG.vkey, other.vkey])
    with pytest.raises(RefusedError):  # a good key, but of another log
        open_request(LOG.request(3, 8, note=text + b"\n" + other.line(text)), both)


def test_the_order_of_the_first_checks() -> None:
    """404 before 403 before 400 for old > size."""
    unknown = HandLog("unknown.example")
    with pytest.raises(RefusedError) as caught:
        open_request(unknown.request(9, 3, note=unknown.text(3) + b"\n" + LINE), LOGS)
    assert caught.value.code == "witness.unknown-log"
    with pytest.raises(RefusedError) as caught:
        open_request(LOG.request(9, 3, note=LOG.text(3) + b"\n" + LINE), LOGS)
    assert caught.value.code == "witness.signature"
    with pytest.raises(MalformedError) as malformed:
        open_request(LOG.request(9, 3), LOGS)
    assert malformed.value.code == "witness.request"


NOTE = LOG.checkpoint(8)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"\n\n",
        b"old 3\n",
        b"old 3\n\n",
        b"old 3\n" + NOTE,
        b"old 03\n\n" + NOTE,
        b"old +3\n\n" + NOTE,
        b"old 4_2\n\n" + NOTE,
        b"old  3\n\n" + NOTE,
        b"old 3 \n\n" + NOTE,
        b"old 3\r\n\n" + NOTE,
        b"old -1\n\n" + NOTE,
        b"old 9223372036854775808\n\n" + NOTE,
        b"old \xc2\xb2\n\n" + NOTE,
        b"old\n\n" + NOTE,
        b"OLD 3\n\n" + NOTE,
        b" old 3\n\n" + NOTE,
        b"old 3\nold 3\n\n" + NOTE,
        b"old 3\n" + b64(bytes(31)).encode() + b"\n\n" + NOTE,
        b"old 3\n" + b64(bytes(33)).encode() + b"\n\n" + NOTE,
        b"old 3\n" + b64(bytes(32)).encode().rstrip(b"=") + b"\n\n" + NOTE,
        b"old 3\n " + b64(bytes(32)).encode() + b"\n\n" + NOTE,
        b"old 3\n\xff\n\n" + NOTE,
        b"old 3\n\n\n" + NOTE,
        b"old 3\n" + (b64(bytes(32)).encode() + b"\n") * 64 + b"\n" + NOTE,
        REQUEST[:-1],
        REQUEST + b"x",
        REQUEST.replace(b"\n8\n", b"\n08\n"),
        REQUEST.replace(b"\n8\n", b"\n\n"),
        b"old 0\n\n" + LOG.text(8) + b"\n",
        b"old 0\n\n" + LOG.checkpoint(8, bytes(31)),
        b"old 0\n\n" + LOG.checkpoint(0, b""),
        b"x" * (REQUEST_MAX_BYTES + 1),
    ],
)
def test_malformed_requests(data: bytes) -> None:
    with pytest.raises(MalformedError):
        open_request(data, LOGS)


def test_63_hashes_are_not_too_many() -> None:
    assert len(parse_add_checkpoint(LOG.request(3, 8, hashes=[bytes(32)] * 63)).proof) == 63


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_changed_request_is_never_cosigned_as_something_else(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(REQUEST)))
    end = start + data.draw(st.integers(0, 3))
    changed = REQUEST[:start] + data.draw(st.binary(max_size=3) | st.sampled_from([b"\n", b"=", b"8"])) + REQUEST[end:]
    try:
        signed = open_request(changed, LOGS)
    except LedgerError:
        return
    if judge(signed.request, head(3)) is None:
        assert (signed.request.head, signed.request.proof) == (head(8), tuple(proof(3, LEAVES)))


def test_sizes() -> None:
    assert (format_size(0), format_size(12)) == (b"0\n", b"12\n")
    assert parse_size(b"12\n") == 12
    for bad in (b"", b"12", b"12\r\n", b"012\n", b" 12\n", b"12\n\n", b"-1\n", b"x\n", b"1" * 40 + b"\n"):
        with pytest.raises(MalformedError):
            parse_size(bad)


def answer(*, seed: bytes = bytes(32), text: bytes = LOG.text(8), time: int = 1700000000, name: str = NAME) -> bytes:
    key = SigningKey(seed)
    signature = key.sign(b"cosignature/v1\ntime %d\n" % time + text).signature
    return f"— {name} {b64(key_id(name, 4, bytes(key.verify_key)) + time.to_bytes(8) + signature)}\n".encode()


def test_answers_to_the_client() -> None:
    note, late = parse_note(LOG.checkpoint(8)), 1700000000
    stranger = answer(seed=bytes([5]) * 32)
    assert [each.line for each in read_cosignatures(LINE, note, [KEY], latest_time=late)] == [LINE]
    found = read_cosignatures(stranger + LINE + answer(time=5), note, [KEY], latest_time=late)
    assert [(each.key, each.time, each.line) for each in found] == [(KEY, late, LINE)]
    cases: list[tuple[bytes, type[LedgerError], str]] = [
        (stranger, VerificationError, "witness.no-cosignature"),
        (b"", VerificationError, "witness.no-cosignature"),
        (answer(text=LOG.text(7)), VerificationError, "note.signature"),
        (LINE + answer(text=LOG.text(7)), VerificationError, "note.signature"),
        (answer(time=late + 1), VerificationError, "witness.time"),
        (LINE[:-1], MalformedError, "witness.answer"),
        (LINE + b"\n", MalformedError, "note.line"),
        (b"\xff\n", MalformedError, "witness.answer"),
        (b"<html>\n", MalformedError, "note.line"),
        (LINE * 101, MalformedError, "witness.answer"),
        (b"x" * (256 * 1024 + 1), MalformedError, "witness.answer"),
    ]
    for body, kind, code in cases:
        with pytest.raises(kind) as caught:
            read_cosignatures(body, note, [KEY], latest_time=late)
        assert caught.value.code == code


def test_time_0_is_no_cosignature() -> None:
    with pytest.raises(VerificationError):
        read_cosignatures(answer(time=0), parse_note(LOG.checkpoint(8)), [KEY], latest_time=9)
    with pytest.raises(UnavailableError):
        cosign_request(open_request(REQUEST, LOGS), Cosigner(NAME, WITNESS), 0)


def test_a_key_that_gives_no_valid_signature() -> None:
    class Broken:
        public_key = WITNESS.public_key

        def sign(self, message: bytes) -> bytes:
            return Ed25519Signer(Secret(bytes([7]) * 32)).sign(message)

    with pytest.raises(UnavailableError) as caught:
        cosign_request(open_request(REQUEST, LOGS), Cosigner(NAME, Broken()), 5)
    assert caught.value.code == "witness.signer"


def test_trusted_logs() -> None:
    second = HandLog(seed=bytes([2]) * 32)  # the same origin, another key
    assert len(TrustedLogs.parse([LOG.vkey, second.vkey]).of(ORIGIN)) == 2
    assert TrustedLogs.parse([]).of(ORIGIN) == ()
    for bad in ([LOG.vkey, LOG.vkey], [LOG.vkey, vkey("x", 1, LOG.public)], [KEY.format()], ["x"]):
        with pytest.raises(MalformedError):
            TrustedLogs.parse(bad)
