"""Use case: register materials, in the caller's transaction.

Before it (``registry.draft``): digest the files, sign or verify the statement, encrypt the files durably. Then, inside:

    1 claim the identity; who was first has it, and a repeated registration ends here with that result
    2 take the drawn place in the status list, or check that it was reserved
    3 ask the registration policy; what it refuses is rolled back and leaves no trace
    4 keep the keys of the sealed files, the disclosures and further signatures; end the predecessor
    5 append what was signed to the log, of any number of registrations at once, and complete their records

The log comes last because it is the one thing that all registrations of a home wait for.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from materials.claims import StatementClaims
from materials.events import EventCode, VerifiedEvent, parse_event
from materials.ids import MaterialId, RandomBytes
from materials.registry.draft import DigestedFiles, Draft, check_draft, digest_files, issue_draft, seal_files
from materials.registry.home import Home
from materials.registry.ports import HomePorts
from materials.registry.records import EventRecord, SealedFile
from materials.registry.revoke import admit_event, is_in_force, keep_event
from materials.registry.rules import decide_registration
from materials.registry.submission import IssuerKeys, Registered, SignedSubmission, Submission
from materials.statement import Statement
from signing import RefusedError, UnavailableError


@dataclass(frozen=True, slots=True)
class Admitted:
    """A registration that only the log is still to take. ``supersession`` ends its predecessor."""

    statement: Statement
    supersession: VerifiedEvent | None
    warnings: tuple[str, ...]

    @property
    def entries(self) -> tuple[bytes, ...]:
        """What it has for the log."""
        event = self.supersession
        return (self.statement.entry,) if event is None else (self.statement.entry, event.entry)


@dataclass(frozen=True, slots=True)
class Repeated:
    """A registration of what was registered before, or earlier in the same transaction, as ``jti``."""

    jti: MaterialId


def register(
    ports: HomePorts, home: Home, submission: Submission, keys: IssuerKeys, *, now: int, random_bytes: RandomBytes
) -> Registered:
    """Issue and register a material with keys that the home keeps for the department.

    Raises MalformedError (fields, files), RefusedError ``registration.*``, and what the ports raise; then the caller
    rolls back. A repeated registration, also a concurrent one, returns the record of the first.
    """
    files = digest_files(submission.files)
    draft = issue_draft(ports, home, submission, keys, files, now=now, random_bytes=random_bytes)
    return _register(ports, home, draft, files)


def register_signed(ports: HomePorts, home: Home, submission: SignedSubmission, *, now: int) -> Registered:
    """Register a material that the department issued with a key of its own; otherwise as ``register``.

    Its place in the home's status list was reserved for its ``jti`` before (``places.allocate_place``). Raises also
    VerificationError for a statement whose key is not in the trust list or one of whose signatures does not verify.
    """
    files = digest_files(submission.files)
    return _register(ports, home, check_draft(home, submission, files, now=now), files)


def _register(ports: HomePorts, home: Home, draft: Draft, files: DigestedFiles) -> Registered:
    sealed = seal_files(ports.sealer, draft, files)
    admitted = admit(ports, home, draft, sealed)
    if isinstance(admitted, Repeated):
        ports.sealer.discard(sealed)
    return complete(ports, [admitted])[0]


def admit(ports: HomePorts, home: Home, draft: Draft, sealed: Sequence[SealedFile]) -> Admitted | Repeated:
    """Steps 1 to 4. If it raises, what it did is to be rolled back, be it alone."""
    statement = draft.statement
    first = ports.materials.claim(draft.claim)
    if first is not None:
        return Repeated(first.jti)
    _take_place(ports, home, draft)
    decision = decide_registration(
        home.policy,
        statement=statement,
        trust=home.trust,
        catalogue=home.catalogue,
        now=draft.now,
        signatures=draft.signatures,
    )
    for each in sealed:
        ports.vault.keep_file(each)
    ports.vault.put_disclosures(statement.jti, statement.text.split("~")[1:-1])
    for signature in decision.signatures:
        ports.signatures.add(statement.jti, signature.text)
    return Admitted(statement, _end_predecessor(ports, home, draft), tuple(decision.warnings))


def complete(ports: HomePorts, admitted: Sequence[Admitted | Repeated]) -> list[Registered]:
    """Step 5, for all that this transaction admitted: one append, one new tree head. Answers in the same order.

    Raises RefusedError ``log.frozen``, MalformedError ``form.entry-size``, and what the ports raise.
    """
    entries = [entry for each in admitted if isinstance(each, Admitted) for entry in each.entries]
    places = iter(ports.log.append_all(entries) if entries else ())
    registered: list[Registered] = []
    for each in admitted:
        if isinstance(each, Repeated):
            registered.append(_first(ports, each.jti))
            continue
        jwt = each.statement.entry.decode("ascii")
        record = ports.materials.complete(
            each.statement.jti, status=each.statement.claims.status, log_index=next(places).index, jwt=jwt
        )
        if each.supersession is not None:
            keep_event(ports, each.supersession, next(places).index)
        registered.append(Registered(record, is_new=True, warnings=each.warnings))
    return registered


def _first(ports: HomePorts, jti: MaterialId) -> Registered:
    record = ports.materials.find(jti)
    if record is None:
        raise RefusedError("registration.unclaimed", "what was registered first is not there any more")
    return Registered(record, is_new=False, warnings=())


def _take_place(ports: HomePorts, home: Home, draft: Draft) -> None:
    """A statement with a status names the place that was drawn for it, or that was reserved in this home's list."""
    claims: StatementClaims = draft.statement.claims
    if claims.status is None:
        return
    if draft.draws_place:
        if not ports.statuses.take(claims.status, claims.jti):
            raise UnavailableError("status.taken", "the place in the status list was taken just now: run again")
        return
    place = ports.statuses.find(home.status_uri, claims.jti)
    if place is None or place.ref != claims.status:
        raise RefusedError("registration.status", "the status place was not reserved for this statement")


def _end_predecessor(ports: HomePorts, home: Home, draft: Draft) -> VerifiedEvent | None:
    """The event that ends the predecessor, if that is still in force; recorded in the status table already."""
    predecessor = draft.claim.supersedes
    if predecessor is None or not is_in_force(ports, predecessor):
        return None
    if draft.supersession is None:
        raise RefusedError("registration.supersedes", "the event that ends the predecessor is missing")
    admitted = admit_event(ports, home, draft.supersession, now=draft.now)
    event = parse_event(admitted.jws).event if isinstance(admitted, EventRecord) else admitted.event
    if (event.sub, event.code, event.successor) != (predecessor, EventCode.SUPERSEDED, draft.statement.jti):
        raise RefusedError("registration.supersedes", "the event does not end the predecessor")
    return None if isinstance(admitted, EventRecord) else admitted
