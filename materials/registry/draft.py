"""A registration before its transaction: checked, signed, its files sealed. Nothing is stored yet but ciphertext.

What takes long is done here, in the caller's own time: files are read and digested, keys sign (perhaps in an HSM),
files are encrypted and synced. ``registry.register`` has what follows, inside the transaction.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from materials.catalogue import check_fields
from materials.events import EventCode, MaterialEvent, issue_event
from materials.files import FileRecord
from materials.ids import RandomBytes, new_event_id, new_material_id
from materials.registry.home import Home
from materials.registry.identity import claim_for
from materials.registry.ports import FileSealer, HomePorts
from materials.registry.records import MaterialClaim, SealedFile
from materials.registry.revoke import is_in_force
from materials.registry.submission import IssuerKeys, SignedSubmission, Submission, SubmittedFile
from materials.second_signature import countersign_statement
from materials.statement import Statement, StatementClaims, issue_statement, parse_statement, verify_statement
from signing import MalformedError, VerificationError, digest_stream

_SUPERSESSION = "superseded"
DigestedFiles = Mapping[FileRecord, SubmittedFile]


@dataclass(frozen=True, slots=True)
class Draft:
    """A signed statement and what is handed in with it; ``now`` is when that was.

    ``signatures`` are further ones over the statement. ``supersession`` is the signed event that ends the predecessor.
    ``draws_place``: its place in the status list was only drawn and is still to be taken; else it was reserved before.
    """

    statement: Statement
    claim: MaterialClaim
    signatures: tuple[str, ...]
    supersession: str | None
    draws_place: bool
    now: int


def digest_files(files: Sequence[SubmittedFile]) -> DigestedFiles:
    """Read each file once. Raises MalformedError ``form.duplicate-file``."""
    digested: dict[FileRecord, SubmittedFile] = {}
    for submitted in files:
        submitted.stream.seek(0)
        digested[FileRecord.of(digest_stream(submitted.stream), submitted.media_type)] = submitted
    if len(digested) != len(files):
        raise MalformedError("form.duplicate-file", "the same file is submitted twice")
    return digested


def issue_draft(
    ports: HomePorts,
    home: Home,
    submission: Submission,
    keys: IssuerKeys,
    files: DigestedFiles,
    *,
    now: int,
    random_bytes: RandomBytes,
) -> Draft:
    """Sign a statement, and the event that ends its predecessor, with keys that the home keeps for the department.

    Reads only: ``ports`` may be of any snapshot. Raises MalformedError (fields, files), UnavailableError
    ``status.full``, and what the keys raise.
    """
    material_type = home.catalogue.by_code(submission.type_code)
    fields = check_fields(material_type, submission.fields)
    jti = new_material_id(random_bytes)
    claims = StatementClaims(
        iss=submission.issuer,
        vct=material_type.vct,
        jti=jti,
        iat=now,
        nbf=submission.nbf,
        exp=submission.exp,
        version=submission.version,
        legal_basis=submission.legal_basis,
        status=ports.statuses.draw(home.status_uri, random_bytes),
        supersedes=submission.supersedes,
    )
    claim = claim_for(home.secret, claims, fields, files)
    issued = issue_statement(
        keys.issue, material_type, claims=claims, fields=fields, files=tuple(files), random_bytes=random_bytes
    )
    statement = verify_statement(parse_statement(issued.text), keys.issue.public_key)
    further = () if keys.second is None else (countersign_statement(statement.entry.decode("ascii"), keys.second),)
    event = None
    if submission.supersedes is not None and is_in_force(ports, submission.supersedes):
        ended = submission.supersedes
        event_id = new_event_id(random_bytes)
        supersession = MaterialEvent(
            event_id, claims.iss, ended, EventCode.SUPERSEDED, _SUPERSESSION, iat=now, effective=now, successor=jti
        )
        event = issue_event(keys.status, supersession)
    return Draft(statement, claim, further, event, draws_place=True, now=now)


def check_draft(home: Home, submission: SignedSubmission, files: DigestedFiles, *, now: int) -> Draft:
    """Take a statement that the department issued with a key of its own, once that is verified.

    Raises MalformedError (statement, fields), VerificationError for a key that is not in the trust list or a signature
    that does not verify, and ``file.mismatch`` if the files are not those that it names.
    """
    unverified = parse_statement(submission.statement)
    key = home.trust.list.find_key(unverified.claims.iss, unverified.key_id, "issue")
    statement = verify_statement(unverified, key.public_key)
    fields = check_fields(home.catalogue.by_vct(statement.vct), statement.fields)
    if len(statement.files) != len(files) or set(statement.files) != set(files):
        raise VerificationError("file.mismatch", "the files are not those that the statement names")
    claim = claim_for(home.secret, statement.claims, fields, files)
    return Draft(statement, claim, submission.signatures, submission.supersession, draws_place=False, now=now)


def seal_files(sealer: FileSealer, draft: Draft, files: DigestedFiles) -> tuple[SealedFile, ...]:
    """Encrypt the files, durably, in the statement's order. Raises VerificationError ``file.changed``."""
    sealed: list[SealedFile] = []
    with ExitStack() as undo:
        for number, named in enumerate(draft.statement.files):
            stream = files[named].stream
            stream.seek(0)
            sealed.append(sealer.seal_file(draft.statement.jti, number, stream))
            undo.callback(sealer.discard, sealed[-1:])
            if FileRecord.of(sealed[-1].digests, named.media_type) != named:
                raise VerificationError("file.changed", "a file changed while it was being registered")
        undo.pop_all()
    return tuple(sealed)
