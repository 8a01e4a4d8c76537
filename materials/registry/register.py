"""Use case: register a material, in the caller's transaction.

    1 digest the files, bring the fields into their normal form
    2 claim the identity; who was first has it, and a repeated registration ends here with that result
    3 reserve a place in the status list, sign the statement (or take the department's), with each key of a dual one
    4 ask the registration policy; what it refuses is rolled back and leaves no trace
    5 encrypt files and disclosures; the files are durable before the row with their key can be
    6 append the issuer-signed part to the log, complete the record, end the predecessor

The log comes late because it is the one thing that all registrations of a home wait for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from materials.catalogue import check_fields
from materials.events import EventCode, parse_event
from materials.ids import MaterialId, RandomBytes, new_material_id
from materials.registry.home import Home
from materials.registry.identity import claim_for
from materials.registry.ports import HomePorts
from materials.registry.revoke import StatusChange, accept_event, change_status, current_status
from materials.registry.rules import decide_registration
from materials.registry.submission import IssuerKeys, Registered, SignedSubmission, Submission, SubmittedFile
from materials.second_signature import countersign_statement
from materials.statement import (
    FileRecord,
    Statement,
    StatementClaims,
    issue_statement,
    parse_statement,
    verify_statement,
)
from materials.status import StatusValue
from signing import MalformedError, RefusedError, VerificationError, digest_stream

_SUPERSESSION = "superseded"


def register(
    ports: HomePorts, home: Home, submission: Submission, keys: IssuerKeys, *, now: int, random_bytes: RandomBytes
) -> Registered:
    """Issue and register a material with keys that the home keeps for the department.

    Raises MalformedError (fields, files), RefusedError ``registration.*``, and what the ports raise; then the caller
    rolls back. A repeated registration, also a concurrent one, returns the record of the first.
    """
    material_type = home.catalogue.by_code(submission.type_code)
    fields = check_fields(material_type, submission.fields)
    files = _digest(submission.files)
    claims = StatementClaims(
        iss=submission.issuer,
        vct=material_type.vct,
        jti=new_material_id(random_bytes),
        iat=now,
        nbf=submission.nbf,
        exp=submission.exp,
        version=submission.version,
        legal_basis=submission.legal_basis,
        status=None,
        supersedes=submission.supersedes,
    )
    first = ports.materials.claim(claim_for(home.secret, claims, fields, files))
    if first is not None:
        return Registered(first, is_new=False, warnings=())
    place = ports.statuses.allocate(home.status_uri, claims.jti, random_bytes)
    issued = issue_statement(
        keys.issue,
        material_type,
        claims=replace(claims, status=place),
        fields=fields,
        files=tuple(files),
        random_bytes=random_bytes,
    )
    statement = verify_statement(parse_statement(issued.text), keys.issue.public_key)
    further = () if keys.second is None else (countersign_statement(statement.entry.decode("ascii"), keys.second),)
    registered = _admit(ports, home, statement, files, further, now=now)
    if submission.supersedes is not None and _is_in_force(ports, submission.supersedes):
        change = StatusChange(submission.supersedes, EventCode.SUPERSEDED, _SUPERSESSION, now, claims.jti)
        change_status(ports, home, change, keys.status, now=now, random_bytes=random_bytes)
    return registered


def register_signed(ports: HomePorts, home: Home, submission: SignedSubmission, *, now: int) -> Registered:
    """Register a material that the department issued with a key of its own; otherwise as ``register``.

    Its place in the home's status list was reserved for its ``jti`` before (``StatusStore.allocate``). Raises also
    VerificationError for a statement whose key is not in the trust list or one of whose signatures does not verify.
    """
    unverified = parse_statement(submission.statement)
    key = home.trust.list.find_key(unverified.claims.iss, unverified.key_id, "issue")
    statement = verify_statement(unverified, key.public_key)
    fields = check_fields(home.catalogue.by_vct(statement.vct), statement.fields)
    files = _digest(submission.files)
    first = ports.materials.claim(claim_for(home.secret, statement.claims, fields, files))
    if first is not None:
        return Registered(first, is_new=False, warnings=())
    _check_place(ports, home, statement.claims)
    registered = _admit(ports, home, statement, files, submission.signatures, now=now)
    predecessor = statement.claims.supersedes
    if predecessor is not None and _is_in_force(ports, predecessor):
        if submission.supersession is None:
            raise RefusedError("registration.supersedes", "the event that ends the predecessor is missing")
        event = parse_event(accept_event(ports, home, submission.supersession, now=now).jws).event
        if (event.sub, event.code, event.successor) != (predecessor, EventCode.SUPERSEDED, statement.jti):
            raise RefusedError("registration.supersedes", "the event does not end the predecessor")
    return registered


def _admit(
    ports: HomePorts,
    home: Home,
    statement: Statement,
    files: Mapping[FileRecord, SubmittedFile],
    further: Sequence[str],
    *,
    now: int,
) -> Registered:
    """Steps 4 to 6, the same whoever signed; ``further`` are the signatures besides the one in the statement."""
    decision = decide_registration(
        home.policy, statement=statement, trust=home.trust, catalogue=home.catalogue, now=now, signatures=further
    )
    if len(statement.files) != len(files) or set(statement.files) != set(files):
        raise VerificationError("file.mismatch", "the files are not those that the statement names")
    for number, named in enumerate(statement.files):
        stream = files[named].stream
        stream.seek(0)
        if FileRecord.of(ports.vault.put_file(statement.jti, number, stream), named.media_type) != named:
            raise VerificationError("file.changed", "a file changed while it was being registered")
    ports.vault.put_disclosures(statement.jti, statement.text.split("~")[1:-1])
    appended = ports.log.append(statement.entry)
    for signature in decision.signatures:
        ports.signatures.add(statement.jti, signature.text)
    record = ports.materials.complete(
        statement.jti, status=statement.claims.status, log_index=appended.index, jwt=statement.entry.decode("ascii")
    )
    return Registered(record, is_new=True, warnings=tuple(decision.warnings))


def _digest(files: Sequence[SubmittedFile]) -> dict[FileRecord, SubmittedFile]:
    digested: dict[FileRecord, SubmittedFile] = {}
    for submitted in files:
        submitted.stream.seek(0)
        digested[FileRecord.of(digest_stream(submitted.stream), submitted.media_type)] = submitted
    if len(digested) != len(files):
        raise MalformedError("form.duplicate-file", "the same file is submitted twice")
    return digested


def _check_place(ports: HomePorts, home: Home, claims: StatementClaims) -> None:
    """A statement with a status names the place of this home's list that was reserved for it."""
    if claims.status is None:
        return
    place = ports.statuses.find(home.status_uri, claims.jti)
    if place is None or place.ref != claims.status:
        raise RefusedError("registration.status", "the status place was not reserved for this statement")


def _is_in_force(ports: HomePorts, jti: MaterialId) -> bool:
    record = ports.materials.find(jti)
    return record is not None and current_status(ports, record) is not StatusValue.INVALID
