"""Verify an evidence bundle offline, question by question.

    1 integrity    the bundle has its form; the disclosures are those the issuer signed; type and fields are known
    2 signature    the issuer's signature over the statement, and further ones; those that a policy asks for are there
    3 checkpoint   a trusted log signed the checkpoint in the receipt
    4 inclusion    the statement is in that checkpoint's tree
      witness      if a policy is given: enough witnesses cosigned that checkpoint
    5 anchor       that tree was before the validators of a trusted chain
    6 timestamp    a trusted time-stamping authority had the statement, or the checkpoint, before it
    7 issuer       the keys were the issuer's to use, for this type and place, at that time
    8 validity     the decision time lies in the statement's own window
    9 status       not revoked, suspended or otherwise ended
    10 grant       if the bundle shows a use: the chain of grants and the usage record
    11 file        if a file is given: it is the one in the statement

Nothing is fetched. What is missing or can't be checked is undetermined; what is wrong is invalid; one does not hide the
other. No input makes it raise.
"""

from collections.abc import Collection, Sequence
from functools import partial

from anchors import Grade
from anchors.verifier import AnchorVerifier
from ledger import Checkpoint, Policy
from materials.bundle import BundledTimestamp, parse_bundle
from materials.catalogue import Catalogue
from materials.claims import STATEMENT_TYP
from materials.evidence import checks
from materials.evidence.anchors import judge_anchors
from materials.evidence.case import Case
from materials.evidence.issuer import judge_issuer, judge_signatures, take_crls
from materials.evidence.judge import Judge
from materials.evidence.status import check_status, verify_bundled_list
from materials.evidence.times import TimeProofs, check_timestamp
from materials.evidence.use import check_use
from materials.evidence.witnesses import check_witnesses
from materials.registry.records import StampedKind
from materials.report import AnchorAnswer, Facet, Verdict, VerificationReport
from materials.sdjwt.core import parse_sd_jwt
from materials.sdjwt.reveal import reveal
from materials.statement import (
    MAX_STATEMENT_BYTES,
    Statement,
    UnverifiedStatement,
    check_statement_type,
    check_validity,
    parse_statement,
    verify_statement,
)
from materials.status import StatusList
from materials.trust.lists import VerifiedTrustList, parse_trust_file, parse_trust_list, verify_trust_list
from signing import (
    CryptoProfile,
    FileDigests,
    LedgerError,
    MalformedError,
    PublicKey,
    UnavailableError,
    parse_jws,
    parse_note,
)
from signing.x509.revocation import RevocationList


def open_trust(trust_file: bytes, now: int) -> VerifiedTrustList:
    """The trust list of a trust file, verified with the list key in it.

    A list issued after ``now`` serves too: it still names the keys of that day, and how they ended.

    Raises what ``parse_trust_file`` and ``verify_trust_list`` raise; UnavailableError ``trust.expired`` past its date.
    """
    file = parse_trust_file(trust_file)
    issued = parse_trust_list(file.trust_list).iat
    return verify_trust_list(file.trust_list, file.list_key, max(now, issued))


def verify_bundle(
    data: bytes,
    trust_file: bytes,
    *,
    now: int,
    catalogue: Catalogue,
    file: FileDigests | None = None,
    required: Collection[Facet] = (),
    profiles: Collection[CryptoProfile] = (),
    witnesses: Policy | None = None,
    crls: Sequence[RevocationList] = (),
    verifier: AnchorVerifier | None = None,
) -> VerificationReport:
    """Judge the bundle ``data`` at time ``now`` by the trust file alone; ``file`` are the digests of a file at hand.

    Facets in ``required`` may not go unchecked: a relying organisation that needs proof of its grant asks for it.
    ``profiles`` are those of which the statement must show a good signature. ``witnesses`` says whose cosignatures the
    receipt's checkpoint must have: then the facet ``witness`` is judged. ``crls`` are revocation lists at hand
    besides those in the bundle. ``verifier`` is for those who verify many bundles: what anchors prove is remembered
    in it, so that the seals of an anchor that they share are recovered once.

    Never raises for what is in the bundle. A trust file that is not one raises MalformedError or VerificationError; an
    expired one makes every facet that rests on it undetermined.
    """
    try:
        trust: VerifiedTrustList | UnavailableError = open_trust(trust_file, now).with_crls(crls)
    except UnavailableError as error:
        trust = error
    judge = Judge()
    bundle = judge.judge(Facet.INTEGRITY, lambda: parse_bundle(data))
    if bundle is None:
        return VerificationReport(judge.all(), now)
    return _judge_all(
        Case(bundle, trust, now, catalogue, frozenset(profiles), witnesses, judge, verifier or AnchorVerifier()),
        file,
        required,
    )


def _judge_all(case: Case, file: FileDigests | None, required: Collection[Facet]) -> VerificationReport:
    judge, use = case.judge.judge, case.bundle.use
    take_crls(case)
    claimed = judge(Facet.INTEGRITY, lambda: _open_statement(case))
    key, further = judge_signatures(case, claimed)
    statement = None
    if claimed is not None and key is not None:
        statement = judge(Facet.INTEGRITY, lambda: _verify_statement(case, claimed, key))
    times = _judge_times(case)
    judge_issuer(case, claimed, statement, further, times.proven_at)
    judge(Facet.VALIDITY, lambda: check_validity(_proved(statement).claims, now=case.now))
    status_list = judge(Facet.STATUS, lambda: verify_bundled_list(case.bundle.status_list, case.trust, case.now))
    judge(Facet.STATUS, lambda: _check_status(case, status_list, statement, times))
    if use is not None:
        judge(Facet.GRANT, lambda: check_use(use, _proved(statement), case.trust, times, case.now))
    if file is not None:
        judge(Facet.FILE, lambda: checks.check_file(file, _proved(statement).files))
    return VerificationReport(
        findings=case.judge.all(required),
        as_of=case.now,
        material_id=None if statement is None else statement.jti,
        issuer=None if statement is None else statement.iss,
        status_as_of=None if status_list is None else status_list.iat,
        anchored_at=times.anchored_at,
        timestamped_at=times.timestamped_at,
        grade=_grade(case.anchors),
        anchors=tuple(case.anchors),
        trust_stale=None if isinstance(case.trust_or_error, LedgerError) else case.trust.stale(case.now),
    )


def _grade(anchors: Sequence[AnchorAnswer]) -> str | None:
    """The strongest of the anchors that hold; if none does, what nodes answered."""
    valid = [Grade(each.grade) for each in anchors if each.verdict is Verdict.VALID and each.grade is not None]
    if valid:
        return str(max(valid, key=lambda grade: grade.rank))
    return next((each.grade for each in anchors if each.code == "anchor.as-answered"), None)


def _open_statement(case: Case) -> UnverifiedStatement:
    """Parse the statement and match its disclosures, whoever may have signed it."""
    text = case.bundle.statement
    try:
        parse_jws(case.jwt, typ=STATEMENT_TYP, max_bytes=MAX_STATEMENT_BYTES).claims()
    except MalformedError:
        raise UnavailableError("integrity.no-statement", "the issuer-signed part can't be read") from None
    sd_jwt = parse_sd_jwt(text, typ=STATEMENT_TYP, max_bytes=MAX_STATEMENT_BYTES)
    reveal(sd_jwt.jws.claims(), sd_jwt.disclosures)
    return parse_statement(text)


def _verify_statement(case: Case, claimed: UnverifiedStatement, key: PublicKey) -> Statement:
    statement = verify_statement(claimed, key)
    check_statement_type(statement, case.catalogue)
    return statement


def _judge_times(case: Case) -> TimeProofs:
    """Log, chain and time stamps: everything that dates the statement."""
    judge = case.judge.judge
    checkpoint = judge(Facet.CHECKPOINT, lambda: checks.check_checkpoint(case.checkpoint_note, case.trust))
    if (policy := case.witnesses) is not None:
        judge(Facet.WITNESS, lambda: check_witnesses(case.checkpoint_note, policy, case.trust))
    index = judge(Facet.INCLUSION, lambda: _check_inclusion(case, checkpoint))
    return TimeProofs(
        anchors=judge_anchors(case, checkpoint),
        checkpoint=checkpoint,
        included=index is not None,
        statement_stamped_at=_judge_timestamps(case, "statement"),
        checkpoint_stamped_at=_judge_timestamps(case, "checkpoint"),
    )


def _check_inclusion(case: Case, checkpoint: Checkpoint | None) -> int:
    if checkpoint is None:
        raise UnavailableError("inclusion.no-checkpoint", "there is no proved checkpoint to be included in")
    return checks.check_inclusion(case.bundle.receipt, case.jwt.encode("ascii", "replace"), checkpoint)


def _judge_timestamps(case: Case, over: StampedKind) -> int | None:
    """The earliest time that a good time stamp over this proves; a bad one hides none."""
    stamps = [stamp for stamp in case.bundle.timestamps if stamp.over == over]
    proven = [case.judge.judge(Facet.TIMESTAMP, partial(_check_timestamp, case, stamp)) for stamp in stamps]
    return min((time for time in proven if time is not None), default=None)


def _check_timestamp(case: Case, stamp: BundledTimestamp) -> int:
    over_checkpoint = stamp.over == "checkpoint"
    message = parse_note(case.checkpoint_note).text if over_checkpoint else case.jwt.encode("ascii", "replace")
    return check_timestamp(stamp, message, case.trust, case.now).proven_at


def _check_status(case: Case, status_list: StatusList | None, statement: Statement | None, times: TimeProofs) -> None:
    check_status(case.bundle, status_list, _proved(statement).claims, case.trust, times, case.now)


def _proved(statement: Statement | None) -> Statement:
    if statement is None:
        raise UnavailableError("statement.unproved", "the statement itself is not proved")
    return statement
