"""The facet ``grant`` of a bundle: the chain of grants, and the home's record that this copy was released under it.

It is judged at the time of the use, not at the time of the check: a grant that ended later still carried the use. What
no signed text can tell, whether each link had been withdrawn and how often it was used, the home checked before it
signed the record.
"""

from materials.bundle import LoggedToken, UseEvidence
from materials.commitment import commit_to, format_commitment
from materials.evidence import checks
from materials.evidence.times import TimeProofs
from materials.grants.links import GrantChain, parse_chain
from materials.grants.paths import covers_any
from materials.grants.terms import FILES_CLAIM
from materials.grants.usage import COMMITMENT_KIND, parse_usage, verify_usage
from materials.grants.usage_record import UsageRecord
from materials.grants.verify import authenticate_chain, check_in_force
from materials.statement import Statement
from materials.status import StatusValue
from materials.times import SKEW_SECONDS
from materials.trust.key_check import check_key
from materials.trust.model import VerifiedTrustList
from signing import UnavailableError, VerificationError


def check_use(
    use: UseEvidence, statement: Statement, trust: VerifiedTrustList, proofs: TimeProofs, now: int
) -> UsageRecord:
    """The usage record that covers this copy.

    Raises GrantRefusedError with link and rule, VerificationError ``grant.record-*``, UnavailableError if the record's
    receipt is not in the bundle.
    """
    chain = parse_chain(use.chain)
    record = _verified_record(use.record, chain, trust, proofs, now)
    authentic = authenticate_chain(chain, trust=trust, now=now)
    check_in_force(authentic, status=lambda _: StatusValue.VALID, now=record.time)
    _check_fits(record, chain, statement)
    if record.time > now + SKEW_SECONDS:
        raise VerificationError("grant.record-time", "the usage record is from the future")
    if use.record.receipt is None:
        raise UnavailableError("grant.record-receipt", "the bundle holds no receipt of the usage record")
    return record


def _verified_record(
    logged: LoggedToken, chain: GrantChain, trust: VerifiedTrustList, proofs: TimeProofs, now: int
) -> UsageRecord:
    """The record is signed by the home that the chain names, with a key of role ``grant``; its receipt holds."""
    unverified = parse_usage(logged.token)
    home = chain.root.uses.home
    if unverified.record.home != home:
        raise VerificationError("grant.record-home", "the usage record is of another home than the grant's")
    key = trust.list.find_key(home, unverified.jws.kid, "grant")
    record = verify_usage(unverified, key.public_key).record
    checkpoint = None
    if logged.receipt is not None:
        entry = format_commitment(commit_to(COMMITMENT_KIND, logged.token))
        checkpoint = checks.check_logged(entry, logged.receipt, trust)
    check_key(
        key,
        entity=trust.list.find_entity(home),
        trust=trust,
        role="grant",
        at=record.time,
        now=now,
        proven_at=proofs.existed_by(checkpoint),
    )
    return record


def _check_fits(record: UsageRecord, chain: GrantChain, statement: Statement) -> None:
    """The record is about this chain and this material, was a release, and opened what is disclosed here."""
    shown = {*statement.fields, *([FILES_CLAIM] if statement.files else [])}
    agree = {
        "links": record.links == chain.ids,
        "subject": record.subject == chain.root.subject,
        "material": (record.material, record.vct) == (statement.jti, statement.vct),
        "result": record.result.outcome == "released",
        "basis": record.basis == chain.root.basis and _may_open(chain, statement),
        "disclosed": all(covers_any(record.disclosed, name) for name in shown),
    }
    for what, holds in agree.items():
        if not holds:
            raise VerificationError(f"grant.record-{what}", f"the usage record does not fit this copy: {what}")


def _may_open(chain: GrantChain, statement: Statement) -> bool:
    """An authority that grants by its function opens only what it issued itself."""
    return chain.root.basis != "function" or statement.iss == chain.root.id.iss
