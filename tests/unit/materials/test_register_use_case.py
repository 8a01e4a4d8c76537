"""Registering: what is kept, what is refused, and what a repetition answers."""

import io
import os
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from materials.events import EventCode, MaterialEvent, issue_event
from materials.ids import MaterialId, new_event_id, new_material_id
from materials.registry.places import allocate_place
from materials.registry.ports import HomePorts
from materials.registry.records import MaterialState
from materials.registry.register import register, register_signed
from materials.registry.submission import Registered, SignedSubmission, Submission, SubmittedFile
from materials.second_signature import verify_second_signature
from materials.statement import (
    FileRecord,
    StatementClaims,
    issue_statement,
    join_statement,
    parse_statement,
    verify_statement,
)
from signing import (
    Algorithm,
    Ed25519Signer,
    Es256Signer,
    LedgerError,
    MalformedError,
    RefusedError,
    Signer,
    VerificationError,
    digest_bytes,
    generate_signer,
)
from tests.support.materials_home import DAY, ISSUER, NOW, PDF, STATUS_URI, HomeKit, fields, submission


@pytest.fixture
def kit(engine: Engine, tmp_path: Path) -> HomeKit:
    kit = HomeKit(tmp_path / "vault")
    kit.create(engine)
    return kit


def enter(kit: HomeKit, engine: Engine, handed_in: Submission, now: int = NOW) -> Registered:
    with kit.unit(engine) as ports:
        return register(ports, kit.home(), handed_in, kit.keys, now=now, random_bytes=os.urandom)


def test_what_went_in_comes_out(kit: HomeKit, engine: Engine) -> None:
    registered = enter(kit, engine, submission())
    assert registered.is_new
    with kit.unit(engine) as ports:
        record = ports.materials.find(registered.record.jti)
        assert record == registered.record
        assert record is not None
        assert record.state is MaterialState.HELD
        assert ports.log.entry(record.log_index) == record.jwt.encode()
        text = join_statement(record.jwt, ports.vault.read_disclosures(record.jti))
        statement = verify_statement(parse_statement(text), kit.issue.public_key)
        assert statement.fields == fields()
        assert b"".join(ports.vault.read_file(record.jti, 0)) == PDF
        assert ports.materials.find_owned(record.owner, vct=record.vct) == (record,)
        assert ports.materials.find_owned(record.owner, vct="urn:other") == ()
        place = ports.statuses.find(STATUS_URI, record.jti)
        assert place is not None
        assert place.ref == record.status


@pytest.mark.parametrize("algorithm", ["ES256", "SM2-SM3"])
def test_a_second_key_signs_the_same_payload(engine: Engine, tmp_path: Path, algorithm: Algorithm) -> None:
    second = generate_signer(algorithm, os.urandom)
    kit = HomeKit(tmp_path / "vault", second=second)
    kit.create(engine)
    first = enter(kit, engine, submission())
    assert enter(kit, engine, submission()).record == first.record
    with kit.unit(engine) as ports:
        (kept,) = ports.signatures.of(first.record.jti)
    verified = verify_second_signature(first.record.jwt, kept, second.public_key)
    assert (verified.key_id, verified.profile) == (second.public_key.key_id, second.public_key.profile)


def test_a_second_key_that_is_not_listed_registers_nothing(kit: HomeKit, engine: Engine) -> None:
    keys = replace(kit.keys, second=Es256Signer.generate(os.urandom))
    with pytest.raises(RefusedError) as refused, kit.unit(engine) as ports:
        register(ports, kit.home(), submission(), keys, now=NOW, random_bytes=os.urandom)
    assert refused.value.code == "registration.key"
    with kit.unit(engine) as ports:
        assert ports.log.entry(1) is None


def test_a_repetition_returns_the_first(kit: HomeKit, engine: Engine) -> None:
    first = enter(kit, engine, submission())
    again = enter(kit, engine, replace(submission(), exp=NOW + DAY), now=NOW + 5)
    assert again.record == first.record
    assert not again.is_new
    with kit.unit(engine) as ports:
        assert ports.log.entry(2) is None


@pytest.mark.parametrize(
    ("handed_in", "code"),
    [
        (submission(PDF + b"x"), "registration.identifier-taken"),
        (submission(version=2), "registration.identifier-taken"),
        (submission(serial="2023000002", area_code="330110"), "registration.region"),
        (replace(submission(serial="2023000002"), type_code="nothing"), "form.unknown-type"),
        (replace(submission(serial="2023000002"), version=2), "registration.licence-id"),
        (replace(submission(serial="2023000002"), exp=NOW - 1, nbf=NOW - 2), "registration.time"),
        (replace(submission(serial="2023000002"), issuer="uscc:11310000MB2F303123"), None),
        (replace(submission(serial="2023000002"), files=()), "form.file"),
        (replace(submission(serial="2023000002"), files=submission().files * 2), "form.duplicate-file"),
    ],
)
def test_refusals_leave_nothing(kit: HomeKit, engine: Engine, handed_in: Submission, code: str | None) -> None:
    first = enter(kit, engine, submission())
    with pytest.raises(LedgerError) as refused:
        enter(kit, engine, handed_in)
    assert code is None or refused.value.code == code
    assert "440524" not in str(refused.value)
    with kit.unit(engine) as ports:
        assert ports.materials.find_owned(first.record.owner) == (first.record,)
        assert ports.log.entry(2) is None


def test_a_new_version_takes_the_licence_over_and_ends_the_old(kit: HomeKit, engine: Engine) -> None:
    old = enter(kit, engine, submission()).record
    new = enter(kit, engine, submission(PDF + b"2", version=2, supersedes=old.jti), now=NOW + 9).record
    with kit.unit(engine) as ports:
        (event,) = ports.events.of(old.jti)
        assert (event.kind, event.log_index) == ("superseded", 3)
        entry = ports.statuses.find(STATUS_URI, old.jti)
        assert entry is not None
        assert entry.status == 1
    with pytest.raises(RefusedError) as refused:
        enter(kit, engine, submission(PDF + b"3", version=2, supersedes=old.jti))
    assert refused.value.code == "registration.supersedes"
    assert enter(kit, engine, submission(PDF + b"3", version=3, supersedes=new.jti)).is_new


@pytest.mark.parametrize("version", [1, 3])
def test_a_successor_is_one_version_on(kit: HomeKit, engine: Engine, version: int) -> None:
    old = enter(kit, engine, submission()).record
    with pytest.raises(RefusedError) as refused:
        enter(kit, engine, submission(PDF + b"2", version=version, supersedes=old.jti))
    assert refused.value.code == "registration.supersedes"


def test_a_successor_has_the_owner_of_its_predecessor(kit: HomeKit, engine: Engine) -> None:
    old = enter(kit, engine, submission()).record
    other = submission(PDF, version=2, supersedes=old.jti, holder_code="11010519491231002X")
    with pytest.raises(RefusedError) as refused:
        enter(kit, engine, other)
    assert refused.value.code == "registration.supersedes"


def test_a_file_that_changes_meanwhile_is_refused(kit: HomeKit, engine: Engine) -> None:
    class Changing(io.BytesIO):
        def seek(self, offset: int, whence: int = 0) -> int:
            if self.tell():
                self.getbuffer()[0] ^= 1
            return super().seek(offset, whence)

    handed_in = replace(submission(), files=(SubmittedFile(Changing(PDF), "application/pdf"),))
    with pytest.raises(VerificationError) as refused:
        enter(kit, engine, handed_in)
    assert refused.value.code == "file.changed"


def sign_elsewhere(
    kit: HomeKit,
    ports: HomePorts,
    *,
    signer: Signer | None = None,
    reserve: bool = True,
    data: bytes = PDF,
    version: int = 1,
    supersedes: MaterialId | None = None,
) -> SignedSubmission:
    jti = new_material_id(os.urandom)
    place = allocate_place(ports.statuses, STATUS_URI, jti if reserve else new_material_id(os.urandom), os.urandom)
    material_type = kit.catalogue.by_code("business-licence")
    claims = StatementClaims(
        ISSUER, material_type.vct, jti, NOW, NOW, NOW + DAY * 9, version, "regulation-1", place, supersedes
    )
    record = FileRecord.of(digest_bytes(data), "application/pdf")
    issued = issue_statement(
        signer or kit.issue,
        material_type,
        claims=claims,
        fields=fields(version=version),
        files=[record],
        random_bytes=os.urandom,
    )
    return SignedSubmission(issued.text, (SubmittedFile(io.BytesIO(PDF), "application/pdf"),))


def test_a_statement_signed_elsewhere_is_registered_as_it_is(kit: HomeKit, engine: Engine) -> None:
    with kit.unit(engine) as ports:
        handed_in = sign_elsewhere(kit, ports)
        registered = register_signed(ports, kit.home(), handed_in, now=NOW)
        assert registered.is_new
    with kit.unit(engine) as ports:
        disclosures = ports.vault.read_disclosures(registered.record.jti)
        assert join_statement(registered.record.jwt, disclosures) == handed_in.statement
        assert register_signed(ports, kit.home(), handed_in, now=NOW).record == registered.record


def test_statements_signed_elsewhere_meet_the_same_rules(kit: HomeKit, engine: Engine) -> None:
    foreign = Ed25519Signer.generate(os.urandom)
    for made_wrong, code in (
        ({"signer": foreign}, "key.unknown"),
        ({"signer": kit.status}, "key.role"),
        ({"reserve": False}, "registration.status"),
        ({"data": b"other"}, "file.mismatch"),
    ):
        with kit.unit(engine) as ports:
            handed_in = sign_elsewhere(kit, ports, **made_wrong)
        with pytest.raises(VerificationError) as refused, kit.unit(engine) as ports:
            register_signed(ports, kit.home(), handed_in, now=NOW)
        assert refused.value.code == code


def test_the_home_secret_must_be_long(kit: HomeKit, engine: Engine) -> None:
    home = replace(kit.home(), secret=b"short")
    with pytest.raises(MalformedError), kit.unit(engine) as ports:
        register(ports, home, submission(), kit.keys, now=NOW, random_bytes=os.urandom)


def test_superseding_from_elsewhere_needs_the_event_for_this_successor(kit: HomeKit, engine: Engine) -> None:
    old = enter(kit, engine, submission()).record
    with kit.unit(engine) as ports:
        handed_in = sign_elsewhere(kit, ports, version=2, supersedes=old.jti)
    successor = parse_statement(handed_in.statement).claims.jti

    def supersession(named: MaterialId) -> str:
        event = MaterialEvent(
            new_event_id(os.urandom), ISSUER, old.jti, EventCode.SUPERSEDED, "renewal", NOW, NOW, named
        )
        return issue_event(kit.status, event)

    for wrong in (None, supersession(new_material_id(os.urandom))):
        with pytest.raises(RefusedError) as refused, kit.unit(engine) as ports:
            register_signed(ports, kit.home(), replace(handed_in, supersession=wrong), now=NOW)
        assert refused.value.code == "registration.supersedes"
    right = replace(handed_in, supersession=supersession(successor))
    with kit.unit(engine) as ports:
        assert register_signed(ports, kit.home(), right, now=NOW).is_new
        place = ports.statuses.find(STATUS_URI, old.jti)
        assert place is not None
        assert place.status == 1
