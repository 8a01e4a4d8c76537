"""The facet ``timestamp``, and what time stamps prove for keys that were compromised since."""

from dataclasses import replace
from typing import Any

import pytest

from materials.bundle import BundledTimestamp
from materials.evidence.times import TimeProofs
from materials.report import Facet, Verdict
from materials.trust.model import KeyRevocation
from signing import parse_note
from signing.rfc3161.der_values import der
from signing.x509.revocation import parse_crl
from tests.support.evidence_world import World, ended, said, stamp, time_authority, time_root, time_stamper
from tests.support.materials_world import NOW, issued
from tests.support.tsa import Holder, utc

STAMPED = World(authorities=(time_authority(),))
TEXT = parse_note(STAMPED.checkpoint).text


def _judge(*stamps: BundledTimestamp, world: World = STAMPED, **options: Any) -> Any:
    return world.judge(replace(world.bundle, timestamps=stamps), **options)


def _over_statement(at: int = NOW + 60, message: bytes | None = None, **made: Any) -> BundledTimestamp:
    return BundledTimestamp("statement", stamp(message or STAMPED.statement.entry, at, **made))


def _over_checkpoint(at: int = NOW + 60, message: bytes = TEXT) -> BundledTimestamp:
    return BundledTimestamp("checkpoint", stamp(message, at))


def test_both_kinds_and_the_time_they_prove() -> None:
    report = _judge(*STAMPED.stamps(NOW + 30))
    assert said(report, "timestamp") == {"timestamp": "valid: ok"}
    assert (report.timestamped_at, report.anchored_at) == (NOW + 30, None)
    assert report.to_json()["timestamped_at"] == NOW + 30
    earliest = _judge(_over_statement(NOW + 50), _over_checkpoint(NOW + 20), _over_statement(NOW + 40))
    assert earliest.timestamped_at == NOW + 20


def test_none_is_not_checked_unless_it_is_asked_for() -> None:
    assert _judge()[Facet.TIMESTAMP].verdict is Verdict.NOT_CHECKED
    assert _judge().timestamped_at is None
    assert said(_judge(required=[Facet.TIMESTAMP]), "timestamp") == {"timestamp": "undetermined: timestamp.missing"}
    asked = _judge(_over_statement(), required=[Facet.TIMESTAMP])
    assert asked[Facet.TIMESTAMP].verdict is Verdict.VALID


@pytest.mark.parametrize(
    "stamps",
    [
        [_over_statement(message=TEXT)],  # over something else
        [_over_checkpoint(message=STAMPED.statement.entry)],
        [_over_statement(message=issued(seed=5).entry)],
        [_over_statement(message=STAMPED.statement.text.encode())],  # with the disclosures
        [_over_checkpoint(message=STAMPED.checkpoint)],  # with the signature lines
        [_over_statement(), _over_checkpoint(message=b"x")],
    ],
)
def test_a_stamp_over_something_else(stamps: list[BundledTimestamp]) -> None:
    report = _judge(*stamps)
    assert said(report, "timestamp") == {"timestamp": "invalid: timestamp.imprint"}
    assert report.verdict is Verdict.INVALID


def test_a_stamp_from_the_future() -> None:
    report = _judge(_over_statement(NOW + 1000), now=NOW + 900)
    assert said(report, "timestamp") == {"timestamp": "invalid: timestamp.future"}


def test_an_authority_that_the_list_does_not_name() -> None:
    stranger = Holder.root("Other Root").issue("Time Stamper")
    unknown = {"timestamp": "undetermined: timestamp.authority"}
    report = _judge(_over_statement(signer=stranger))
    assert said(report, "timestamp") == unknown
    assert report.timestamped_at is None
    assert said(_judge(_over_statement(), world=World()), "timestamp") == unknown
    for_others = World(authorities=(replace(time_authority(), use="organisation"),))
    assert said(_judge(_over_statement(), world=for_others), "timestamp") == unknown
    # One good stamp dates the statement; the other still makes the facet undetermined, and a false one invalid.
    mixed = _judge(_over_statement(NOW + 50), _over_statement(signer=stranger))
    assert said(mixed, "timestamp") == unknown
    assert mixed.timestamped_at == NOW + 50
    worst = _judge(_over_statement(signer=stranger), _over_statement(message=b"x"), _over_statement())
    assert said(worst, "timestamp") == {"timestamp": "invalid: timestamp.imprint"}


def test_a_revoked_time_stamper() -> None:
    strict = World(authorities=(time_authority("crl"),))
    bare = _judge(_over_statement(), world=strict)
    assert said(bare, "timestamp") == {"timestamp": "undetermined: certificate.revocation"}
    clean = time_root().crl(utc(2026, 5, 25))
    stamped = replace(strict.bundle, timestamps=(_over_statement(),), crls=(clean,))
    assert said(strict.judge(stamped), "timestamp", "issuer") == {"timestamp": "valid: ok", "issuer": "valid: ok"}
    assert parse_crl(clean).this_update < NOW
    ended_at = time_root().crl(utc(2026, 5, 25), (time_stamper(), None, utc(2026, 5, 20)))
    revoked = strict.judge(replace(stamped, crls=(ended_at,)))
    assert said(revoked, "timestamp", "issuer") == {"timestamp": "invalid: certificate.revoked", "issuer": "valid: ok"}


def test_a_stamp_that_is_none() -> None:
    for token in (b"\x30\x00", b"x", _over_statement().token[:-1], _over_statement().token + b"\0"):
        report = _judge(BundledTimestamp("statement", token))
        assert report[Facet.TIMESTAMP].verdict is Verdict.INVALID


# --- what the proof of time is good for ---------------------------------------------------------------------------


STOLEN_AT = NOW + 100
STOLEN = replace(STAMPED, keys=ended(STAMPED.keys, 0, revoked=KeyRevocation(STOLEN_AT, "compromised")))


@pytest.mark.parametrize("kind", [_over_statement, _over_checkpoint])
def test_a_stamp_saves_what_a_stolen_key_signed_before(kind: Any) -> None:
    later, gone = "valid: key.later-compromised", "invalid: key.compromised"
    assert said(_judge(world=STOLEN), "issuer") == {"issuer": gone}
    for at, code in ((NOW, later), (STOLEN_AT - 1, later), (STOLEN_AT, gone), (STOLEN_AT + 1, gone)):
        assert said(_judge(kind(at), world=STOLEN), "issuer") == {"issuer": code}, at


def test_the_accuracy_that_the_authority_states_is_added() -> None:
    """RFC 3161 §2.4.2: only genTime + accuracy is an upper limit; a stated accuracy of 2 s is too vague here."""
    accuracy = der(0x30, der(0x02, b"\x02"))
    for at, code in ((NOW + 3, "valid: key.later-compromised"), (NOW + 2, "invalid: key.compromised")):
        world = replace(STAMPED, keys=ended(STAMPED.keys, 0, revoked=KeyRevocation(at, "compromised")))
        report = _judge(_over_statement(NOW, rest=accuracy), world=world)
        assert report.timestamped_at == NOW + 2
        assert said(report, "issuer") == {"issuer": code}


def test_a_stamp_over_a_tree_without_the_statement_dates_nothing() -> None:
    """Who stole the key can't borrow the receipt and the stamp of a statement from before."""
    forged = issued(seed=11)
    stamps = (_over_checkpoint(NOW),)
    report = STOLEN.judge(replace(STOLEN.bundle, statement=forged.text, timestamps=stamps))
    assert said(report, "signature", "inclusion", "timestamp", "issuer") == {
        "signature": "valid: ok",
        "inclusion": "invalid: proof.inclusion",
        "timestamp": "valid: ok",
        "issuer": "invalid: key.compromised",
    }
    assert report.timestamped_at is None


def test_a_stamp_by_nobody_known_saves_nothing() -> None:
    stranger = Holder.root("Other Root").issue("Time Stamper")
    report = _judge(_over_statement(NOW, signer=stranger), world=STOLEN)
    assert said(report, "issuer") == {"issuer": "invalid: key.compromised"}


def test_an_event_or_a_record_is_dated_by_the_tree_that_it_is_in() -> None:
    assert TimeProofs().existed_by(None) is None
    assert TimeProofs(checkpoint_stamped_at=NOW).existed_by(None) is None
    assert TimeProofs().proven_at is None
