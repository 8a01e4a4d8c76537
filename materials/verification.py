"""Verify an evidence bundle offline, question by question.

    1 integrity    the bundle has its form; the disclosures are those the issuer signed; type and fields are known
    2 signature    the issuer's signature over the statement
    3 checkpoint   a trusted log signed the checkpoint in the receipt
    4 inclusion    the statement is in that checkpoint's tree
    5 anchor       that tree was before the validators of a trusted chain
    6 issuer       the key was the issuer's to use, for this type, at that time
    7 validity     the decision time lies in the statement's own window
    8 status       not revoked, suspended or otherwise ended
    9 grant        if the bundle shows a use: the chain of grants and the usage record
    10 file        if a file is given: it is the one in the statement

Nothing is fetched. What is missing or can't be checked is undetermined; what is wrong is invalid; one does not hide the
other. No input makes it raise.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TypeVar

from ledger import Checkpoint
from materials.bundle import Bundle, parse_bundle
from materials.catalogue import Catalogue
from materials.claims import STATEMENT_TYP
from materials.evidence import checks
from materials.evidence.status import check_status, verify_bundled_list
from materials.evidence.use import check_use
from materials.report import Facet, Finding, Verdict, VerificationReport
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
from materials.trust.lists import VerifiedTrustList, parse_trust_file, parse_trust_list, verify_trust_list
from materials.trust.model import KeyStanding
from signing import FileDigests, LedgerError, MalformedError, PublicKey, UnavailableError, VerificationError, parse_jws

T = TypeVar("T")


@dataclass(slots=True)
class _Judge:
    """Collects one finding per facet; a check that raises gives None."""

    findings: dict[Facet, Finding] = field(default_factory=dict)

    def judge(self, facet: Facet, check: Callable[[], T], *, code: str = "ok", detail: str = "") -> T | None:
        try:
            proved = check()
        except UnavailableError as error:
            self.findings[facet] = Finding(facet, Verdict.UNDETERMINED, error.code, str(error))
        except (MalformedError, VerificationError) as error:
            self.findings[facet] = Finding(facet, Verdict.INVALID, error.code, str(error))
        else:
            self.findings[facet] = Finding(facet, Verdict.VALID, code, detail)
            return proved
        return None

    def note(self, facet: Facet, code: str, detail: str) -> None:
        """Say more of a facet that is valid."""
        self.findings[facet] = Finding(facet, Verdict.VALID, code, detail)

    def all(self) -> tuple[Finding, ...]:
        unchecked = Verdict.NOT_CHECKED
        return tuple(self.findings.get(facet, Finding(facet, unchecked, "not-checked", "")) for facet in Facet)


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
) -> VerificationReport:
    """Judge the bundle ``data`` at time ``now`` by the trust file alone; ``file`` are the digests of a file at hand.

    Facets in ``required`` may not go unchecked: a relying organisation that needs proof of its grant asks for it.

    Never raises for what is in the bundle. A trust file that is not one raises MalformedError or VerificationError; an
    expired one makes every facet that rests on it undetermined.
    """
    try:
        trust: VerifiedTrustList | UnavailableError = open_trust(trust_file, now)
    except UnavailableError as error:
        trust = error
    judge = _Judge()
    bundle = judge.judge(Facet.INTEGRITY, lambda: parse_bundle(data))
    if bundle is None:
        return VerificationReport(judge.all(), now)
    for facet in required:
        judge.findings[facet] = Finding(facet, Verdict.UNDETERMINED, f"{facet}.missing", "asked for, but not there")
    return _Verification(bundle, trust, now, catalogue, judge).run(file)


@dataclass(slots=True)
class _Verification:
    bundle: Bundle
    trust_or_error: VerifiedTrustList | UnavailableError
    now: int
    catalogue: Catalogue
    judge: _Judge
    status_as_of: int | None = None

    @property
    def trust(self) -> VerifiedTrustList:
        if isinstance(self.trust_or_error, LedgerError):
            raise self.trust_or_error
        return self.trust_or_error

    def run(self, file: FileDigests | None) -> VerificationReport:
        judge, use = self.judge.judge, self.bundle.use
        claimed = judge(Facet.INTEGRITY, self._open_statement)
        key = judge(Facet.SIGNATURE, lambda: self._check_signature(claimed))
        statement = None
        if claimed is not None and key is not None:
            statement = judge(Facet.INTEGRITY, lambda: self._verify_statement(claimed, key))
        checkpoint = judge(Facet.CHECKPOINT, self._check_checkpoint)
        index = judge(Facet.INCLUSION, lambda: self._check_inclusion(checkpoint))
        anchor = judge(Facet.ANCHOR, lambda: checks.check_anchor(self.bundle.anchor, checkpoint, self.trust))
        proven_at = None if anchor is None or index is None else anchor.block_time
        standing = judge(Facet.ISSUER, lambda: self._check_issuer(claimed, proven_at))
        if standing not in (None, KeyStanding.CURRENT):
            self.judge.note(Facet.ISSUER, str(standing), "the key has ended since, but it counts for this signature")
        judge(Facet.VALIDITY, lambda: check_validity(_proved(statement).claims, now=self.now))
        judge(Facet.STATUS, lambda: self._check_status(statement))
        if use is not None:
            judge(Facet.GRANT, lambda: check_use(use, _proved(statement), self.trust, self.now))
        if file is not None:
            judge(Facet.FILE, lambda: checks.check_file(file, _proved(statement).files))
        return VerificationReport(
            findings=self.judge.all(),
            as_of=self.now,
            material_id=None if statement is None else statement.jti,
            issuer=None if statement is None else statement.iss,
            status_as_of=self.status_as_of,
            anchored_at=proven_at,
            grade=None if anchor is None else str(anchor.grade),
            trust_stale=None if isinstance(self.trust_or_error, LedgerError) else self.trust.stale(self.now),
        )

    def _open_statement(self) -> UnverifiedStatement:
        """Parse the statement and match its disclosures, whoever may have signed it."""
        text = self.bundle.statement
        try:
            parse_jws(text.partition("~")[0], typ=STATEMENT_TYP, max_bytes=MAX_STATEMENT_BYTES).claims()
        except MalformedError:
            raise UnavailableError("integrity.no-statement", "the issuer-signed part can't be read") from None
        sd_jwt = parse_sd_jwt(text, typ=STATEMENT_TYP, max_bytes=MAX_STATEMENT_BYTES)
        reveal(sd_jwt.jws.claims(), sd_jwt.disclosures)
        return parse_statement(text)

    def _check_signature(self, claimed: UnverifiedStatement | None) -> PublicKey:
        return checks.check_signature(self.bundle.statement, None if claimed is None else claimed.claims, self.trust)

    def _verify_statement(self, claimed: UnverifiedStatement, key: PublicKey) -> Statement:
        statement = verify_statement(claimed, key)
        check_statement_type(statement, self.catalogue)
        return statement

    def _check_checkpoint(self) -> Checkpoint:
        return checks.check_checkpoint(self.bundle.receipt.partition(b"\n\n")[2], self.trust)

    def _check_inclusion(self, checkpoint: Checkpoint | None) -> int:
        if checkpoint is None:
            raise UnavailableError("inclusion.no-checkpoint", "there is no proved checkpoint to be included in")
        entry = self.bundle.statement.partition("~")[0].encode("ascii", "replace")
        return checks.check_inclusion(self.bundle.receipt, entry, checkpoint)

    def _check_issuer(self, claimed: UnverifiedStatement | None, proven_at: int | None) -> KeyStanding:
        """``proven_at``: when the chain had *this* statement; an anchor of a tree without it dates nothing."""
        if claimed is None:
            raise UnavailableError("issuer.no-statement", "there is no readable statement")
        return checks.check_issuer(claimed.claims, claimed.key_id, self.trust, now=self.now, proven_at=proven_at)

    def _check_status(self, statement: Statement | None) -> None:
        """A false list is invalid even if the statement itself could not be proved."""
        status_list = verify_bundled_list(self.bundle.status_list, self.trust, self.now)
        check_status(self.bundle, status_list, _proved(statement).claims, self.trust, self.now)
        self.status_as_of = None if status_list is None else status_list.iat


def _proved(statement: Statement | None) -> Statement:
    if statement is None:
        raise UnavailableError("statement.unproved", "the statement itself is not proved")
    return statement
