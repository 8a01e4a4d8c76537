"""How the facets ``signature`` and ``issuer`` come to their findings, over all signatures and revocation lists."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from materials.evidence.case import Case
from materials.evidence.crls import check_crl, known_authorities
from materials.evidence.signatures import (
    FurtherSignature,
    check_further,
    check_further_issuer,
    check_issuer,
    check_profiles,
    check_signature,
)
from materials.report import Facet
from materials.statement import Statement, UnverifiedStatement
from materials.trust.key_check import KeyStanding
from signing import CryptoProfile, MalformedError, PublicKey, UnavailableError
from signing.x509.revocation import RevocationList, parse_crl

_ENDED: Final = "the key has ended since, but it counts for this signature"
_NOTES: Final = {
    "signature.partly-checked": "a further signature, of a crypto profile not asked for, could not be checked",
    "signature.not-counted": "a further signature counts for nothing: its key was compromised since",
}


def take_crls(case: Case) -> None:
    """Judge the bundle's revocation lists, under ``issuer``; those that hold are at hand from now on."""
    for der in case.bundle.crls:
        crl = case.judge.judge(Facet.ISSUER, partial(_take_crl, case, der))
        if crl is not None:
            case.trust_or_error = case.trust.with_crls([crl])


def _take_crl(case: Case, der: bytes) -> RevocationList | None:
    crl = parse_crl(der)
    if crl.der != der:
        raise MalformedError("form.canonical", "a revocation list in a bundle is DER, without armour or text around it")
    try:
        check_crl(crl, known_authorities(case.trust.list, case.bundle.timestamps))
    except UnavailableError as gap:
        if gap.code != "extra.gm" or CryptoProfile.GM in case.profiles:
            raise
        _note(case, Facet.ISSUER, "signature.partly-checked")
        return None
    return crl


def judge_signatures(
    case: Case, claimed: UnverifiedStatement | None
) -> tuple[PublicKey | None, tuple[FurtherSignature, ...]]:
    """The key of the first signature, if that holds, and the further signatures, if none of them is false."""
    judge, texts = case.judge.judge, case.bundle.signatures
    claims = None if claimed is None else claimed.claims
    first = judge(Facet.SIGNATURE, lambda: check_signature(case.jwt, claims, case.trust))
    further: tuple[FurtherSignature, ...] = ()
    if texts and claims is not None:
        further = judge(Facet.SIGNATURE, lambda: check_further(texts, case.jwt, claims, case.trust)) or ()
    if case.profiles:
        judge(Facet.SIGNATURE, lambda: check_profiles(first, further, case.profiles))
    if any(signature.gap is not None for signature in further):
        _note(case, Facet.SIGNATURE, "signature.partly-checked")
    return first, further


def judge_issuer(
    case: Case,
    claimed: UnverifiedStatement | None,
    statement: Statement | None,
    further: Sequence[FurtherSignature],
    proven_at: int | None,
) -> None:
    """``proven_at``: when *this* statement existed; an anchor of a tree without it dates nothing."""
    judge = case.judge.judge
    standing = judge(Facet.ISSUER, lambda: _check_first(case, claimed, statement, proven_at))
    if standing not in (None, KeyStanding.CURRENT):
        case.judge.note(Facet.ISSUER, str(standing), _ENDED)
    for signature in further:
        code = judge(Facet.ISSUER, partial(_check_further, case, signature))
        if code is not None:
            _note(case, Facet.ISSUER, code)


def _check_first(
    case: Case, claimed: UnverifiedStatement | None, statement: Statement | None, proven_at: int | None
) -> KeyStanding:
    if claimed is None:
        raise UnavailableError("issuer.no-statement", "there is no readable statement")
    place = None if statement is None else statement.fields.get("area_code")
    return check_issuer(
        claimed.claims,
        claimed.key_id,
        case.trust,
        now=case.now,
        proven_at=proven_at,
        region=None if place is None else str(place),
    )


def _check_further(case: Case, signature: FurtherSignature) -> str | None:
    return check_further_issuer(signature, case.trust, now=case.now, needed=case.profiles)


def _note(case: Case, facet: Facet, code: str) -> None:
    case.judge.note(facet, code, _NOTES[code])
