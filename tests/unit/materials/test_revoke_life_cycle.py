"""Events, status table and published lists; erasure."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

import materials.store.tables as tables
from materials.events import EventCode, MaterialEvent, issue_event
from materials.files import FileRecord
from materials.ids import MaterialId, new_event_id, new_material_id
from materials.registry.erase import erase
from materials.registry.publish import publish_status_list
from materials.registry.records import EventRecord, MaterialRecord, MaterialState
from materials.registry.register import register, register_signed
from materials.registry.revoke import StatusChange, accept_event, change_status, current_status
from materials.registry.submission import SignedSubmission
from materials.statement import StatementClaims, issue_statement, join_statement, parse_statement, verify_statement
from materials.status import StatusValue, parse_status_list, read_status, verify_status_list
from materials.trust.model import KeyRevocation, RevocationReason
from signing import Ed25519Signer, LedgerError, RefusedError, UnavailableError, VerificationError, digest_bytes
from tests.support.materials_home import ISSUER, NOW, PDF, STATUS_URI, HomeKit, fields, submission


@pytest.fixture
def kit(engine: Engine, tmp_path: Path) -> HomeKit:
    kit = HomeKit(tmp_path / "vault")
    kit.create(engine)
    return kit


@pytest.fixture
def record(kit: HomeKit, engine: Engine) -> MaterialRecord:
    with kit.unit(engine) as ports:
        return register(ports, kit.home(), submission(), kit.keys, now=NOW, random_bytes=os.urandom).record


def change(kit: HomeKit, engine: Engine, jti: MaterialId, code: EventCode, now: int = NOW) -> EventRecord:
    with kit.unit(engine) as ports:
        wanted = StatusChange(jti, code, "decision", now)
        return change_status(ports, kit.home(), wanted, kit.status, now=now, random_bytes=os.urandom)


def status_of(kit: HomeKit, engine: Engine, record: MaterialRecord) -> StatusValue:
    with kit.unit(engine) as ports:
        return current_status(ports, record)


def publish(kit: HomeKit, engine: Engine, now: int):
    with kit.unit(engine) as ports:
        trust = kit.home().trust
        return publish_status_list(ports.statuses, ports.archive, kit.terms, kit.status, trust=trust, now=now)


def read(kit: HomeKit, token: str, record: MaterialRecord) -> StatusValue:
    assert record.status is not None
    return read_status(verify_status_list(parse_status_list(token), kit.status.public_key), record.status)


def test_suspended_returns_and_revoked_does_not(kit: HomeKit, engine: Engine, record: MaterialRecord) -> None:
    steps = [
        (EventCode.SUSPENDED, StatusValue.SUSPENDED),
        (EventCode.REINSTATED, StatusValue.VALID),
        (EventCode.SUSPENDED, StatusValue.SUSPENDED),
        (EventCode.REVOKED, StatusValue.INVALID),
    ]
    for number, (code, status) in enumerate(steps):
        event = change(kit, engine, record.jti, code, NOW + number)
        assert (event.seq, event.log_index) == (number, 2 + number)
        assert status_of(kit, engine, record) is status
    for code in (EventCode.REINSTATED, EventCode.SUSPENDED, EventCode.ANNULLED):
        with pytest.raises(RefusedError) as refused:
            change(kit, engine, record.jti, code, NOW + 9)
        assert refused.value.code == "status.final"
    with kit.unit(engine) as ports:
        assert len(ports.events.of(record.jti)) == 4
        assert ports.log.entry(6) is None


def test_a_repetition_signs_nothing(kit: HomeKit, engine: Engine, record: MaterialRecord) -> None:
    first = change(kit, engine, record.jti, EventCode.REVOKED)
    assert change(kit, engine, record.jti, EventCode.REVOKED, NOW + 50) == first
    with kit.unit(engine) as ports:
        assert accept_event(ports, kit.home(), first.jws, now=NOW + 60) == first
        assert ports.log.entry(3) is None


def test_an_unknown_material_has_no_status(kit: HomeKit, engine: Engine) -> None:
    with pytest.raises(RefusedError) as refused:
        change(kit, engine, MaterialId("em-aaaaaaaaaaaaaaaaaaaaaaaaaa"), EventCode.REVOKED)
    assert refused.value.code == "material.unknown"


@pytest.mark.parametrize(
    ("signer", "changed", "code"),
    [
        ("status", {"effective": NOW + 3600}, "status.not-yet-effective"),
        ("status", {"iat": NOW + 3600}, "status.not-yet-effective"),
        ("issue", {}, "key.role"),
        ("foreign", {}, "key.unknown"),
        ("status", {"iss": "uscc:91310000MA1FL0000X"}, None),
    ],
)
def test_events_must_come_from_the_issuer(
    kit: HomeKit, engine: Engine, record: MaterialRecord, signer: str, changed: dict[str, object], code: str | None
) -> None:
    keys = {"status": kit.status, "issue": kit.issue, "foreign": Ed25519Signer.generate(os.urandom)}
    event = MaterialEvent(new_event_id(os.urandom), ISSUER, record.jti, EventCode.REVOKED, "decision", NOW, NOW)
    with pytest.raises(LedgerError) as refused, kit.unit(engine) as ports:
        accept_event(ports, kit.home(), issue_event(keys[signer], replace(event, **changed)), now=NOW)
    assert code is None or refused.value.code == code
    assert status_of(kit, engine, record) is StatusValue.VALID


def test_every_published_list_is_kept(kit: HomeKit, engine: Engine, record: MaterialRecord) -> None:
    before = publish(kit, engine, NOW)
    change(kit, engine, record.jti, EventCode.REVOKED, NOW + 5)
    after = publish(kit, engine, NOW + 5)
    assert (before.seq, after.seq) == (0, 1)
    assert read(kit, before.token, record) is StatusValue.VALID
    assert read(kit, after.token, record) is StatusValue.INVALID
    with kit.unit(engine) as ports:
        assert ports.archive.latest(STATUS_URI) == after
        assert ports.archive.at(STATUS_URI, NOW + 4) == before
        assert ports.archive.at(STATUS_URI, NOW + 5) == after
        assert ports.archive.at(STATUS_URI, NOW - 1) is None


def test_a_list_is_not_published_backwards(kit: HomeKit, engine: Engine, record: MaterialRecord) -> None:
    change(kit, engine, record.jti, EventCode.REVOKED)
    publish(kit, engine, NOW + 10)
    with pytest.raises(VerificationError) as refused:
        publish(kit, engine, NOW + 9)
    assert refused.value.code == "status.order"
    with engine.begin() as conn:
        conn.execute(update(tables.material_status_entry).values(status=0))
    with pytest.raises(VerificationError) as refused:
        publish(kit, engine, NOW + 11)
    assert refused.value.code == "status.final"


def test_two_publishers_do_not_write_one_number(kit: HomeKit, engine: Engine) -> None:
    first = publish(kit, engine, NOW)
    with pytest.raises(UnavailableError), kit.unit(engine) as ports:
        ports.archive.keep(first)


def test_erasing_leaves_proofs_that_verify(kit: HomeKit, engine: Engine, record: MaterialRecord) -> None:
    with kit.unit(engine) as ports:
        handed_out = join_statement(record.jwt, ports.vault.read_disclosures(record.jti))
    for _ in range(2):
        with kit.unit(engine) as ports:
            erased = erase(ports, record.jti)
    assert erased == replace(record, state=MaterialState.ERASED, identity=None, licence=None)
    with kit.unit(engine) as ports:
        for attempt in (ports.vault.read_disclosures, lambda jti: list(ports.vault.read_file(jti, 0))):
            with pytest.raises(VerificationError) as gone:
                attempt(record.jti)
            assert gone.value.code == "vault.erased"
        assert ports.log.entry(record.log_index) == record.jwt.encode()
    assert verify_statement(parse_statement(handed_out), kit.issue.public_key).files[0].size == len(PDF)
    with kit.unit(engine) as ports:
        anew = register(ports, kit.home(), submission(), kit.keys, now=NOW + 1, random_bytes=os.urandom)
        assert anew.is_new


def test_what_is_not_there_can_not_be_erased(kit: HomeKit, engine: Engine) -> None:
    with pytest.raises(RefusedError), kit.unit(engine) as ports:
        erase(ports, MaterialId("em-aaaaaaaaaaaaaaaaaaaaaaaaaa"))


def test_racing_revocations_make_one_event(kit: HomeKit, engine: Engine, record: MaterialRecord) -> None:
    with ThreadPoolExecutor(3) as pool:
        events = list(pool.map(lambda _: change(kit, engine, record.jti, EventCode.REVOKED), range(3)))
    assert len(set(events)) == 1
    with kit.unit(engine) as ports:
        assert ports.events.of(record.jti) == (events[0],)
        assert ports.log.entry(3) is None


def test_a_short_lived_material_has_events_without_a_place(kit: HomeKit, engine: Engine) -> None:
    material_type = kit.catalogue.by_code("business-licence")
    jti = new_material_id(os.urandom)
    claims = StatementClaims(ISSUER, material_type.vct, jti, NOW, NOW, NOW + 3600, 1, "regulation-1", None)
    files = [FileRecord.of(digest_bytes(PDF), "application/pdf")]
    signed = issue_statement(
        kit.issue, material_type, claims=claims, fields=fields(), files=files, random_bytes=os.urandom
    )
    with kit.unit(engine) as ports:
        handed_in = SignedSubmission(signed.text, submission().files)
        brief = register_signed(ports, kit.home(), handed_in, now=NOW).record
    assert status_of(kit, engine, brief) is StatusValue.VALID
    change(kit, engine, jti, EventCode.CANCELLED)
    assert status_of(kit, engine, brief) is StatusValue.INVALID
    with pytest.raises(RefusedError) as refused:
        change(kit, engine, jti, EventCode.REINSTATED)
    assert refused.value.code == "status.final"


def test_an_old_event_handed_in_again_changes_nothing(kit: HomeKit, engine: Engine, record: MaterialRecord) -> None:
    old = change(kit, engine, record.jti, EventCode.SUSPENDED)
    change(kit, engine, record.jti, EventCode.REINSTATED)
    with kit.unit(engine) as ports:
        assert accept_event(ports, kit.home(), old.jws, now=NOW + 5) == old
    assert status_of(kit, engine, record) is StatusValue.VALID


@pytest.mark.parametrize(("reason", "code"), [("superseded", "key.window"), ("compromised", "key.compromised")])
def test_a_key_that_has_ended_signs_nothing_new(
    kit: HomeKit, engine: Engine, record: MaterialRecord, reason: RevocationReason, code: str
) -> None:
    """Nothing dates an event that comes in now, so an old date in it helps nobody; what is recorded stays."""
    old = change(kit, engine, record.jti, EventCode.SUSPENDED)
    home = kit.home()
    entity = home.trust.list.entities[0]
    keys = tuple(replace(key, revoked=KeyRevocation(NOW + 10, reason)) for key in entity.keys)
    listed = replace(home.trust.list, entities=(replace(entity, keys=keys),))
    later = replace(home, trust=replace(home.trust, list=listed))
    misdated = MaterialEvent(new_event_id(os.urandom), ISSUER, record.jti, EventCode.REVOKED, "decision", NOW, NOW)
    with pytest.raises(VerificationError) as refused, kit.unit(engine) as ports:
        accept_event(ports, later, issue_event(kit.status, misdated), now=NOW + 20)
    assert refused.value.code == code
    assert status_of(kit, engine, record) is StatusValue.SUSPENDED
    if reason == "superseded":
        with kit.unit(engine) as ports:
            assert accept_event(ports, later, old.jws, now=NOW + 20) == old
