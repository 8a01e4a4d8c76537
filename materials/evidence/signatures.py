"""The facets ``signature`` and ``issuer`` of a bundle: who signed the statement, and whether those keys count.

A statement has the issuer's first signature, and may have further ones of other algorithms (``second_signature``). All
that are there must hold. Which crypto profiles are *needed* is the relying party's policy: whoever hands a bundle on
can leave a further signature out, which makes no statement wrong, only unproved to those who need that profile.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from materials.claims import STATEMENT_TYP, StatementClaims
from materials.second_signature import (
    UnverifiedSecondSignature,
    check_distinct_algorithms,
    parse_second_signature,
    verify_second_signature,
)
from materials.statement import MAX_STATEMENT_BYTES
from materials.trust.key_check import KeyStanding, check_key
from materials.trust.model import VerifiedTrustList
from signing import (
    CryptoProfile,
    KeyId,
    PublicKey,
    UnavailableError,
    VerificationError,
    parse_jws,
    verify_jws,
)

_NOT_COUNTED: Final = frozenset({"key.compromised", "certificate.compromised"})


@dataclass(frozen=True, slots=True)
class FurtherSignature:
    """A further signature of the statement with ``claims``: verified by ``key``, or not checked, because of ``gap``."""

    claims: StatementClaims
    key: PublicKey
    gap: UnavailableError | None


def find_issuing_key(trust: VerifiedTrustList, kid: KeyId, claims: StatementClaims | None) -> PublicKey:
    """The issuing key of this thumbprint, whoever has it: ``check_issuer`` asks if it is the issuer's.

    A known issuer with an unlisted key is a forgery (VerificationError ``signature.key``); a key of an issuer that the
    trust list does not know can't be judged (UnavailableError ``signature.unknown-key``).
    """
    for entity in trust.list.entities:
        for key in entity.keys:
            if key.key_id == kid and key.role == "issue":
                return key.public_key
    if claims is not None and any(entity.id == claims.iss for entity in trust.list.entities):
        raise VerificationError("signature.key", "the key that signed is not one of the issuer's listed keys")
    raise UnavailableError("signature.unknown-key", "the trust list knows neither the issuer nor the key")


def check_signature(text: str, claims: StatementClaims | None, trust: VerifiedTrustList) -> PublicKey:
    """The issuer-signed JWT of statement ``text`` verifies with the listed issuing key that is returned.

    Raises what ``find_issuing_key`` and ``verify_jws`` raise.
    """
    jws = parse_jws(text.partition("~")[0], typ=STATEMENT_TYP, max_bytes=MAX_STATEMENT_BYTES)
    key = find_issuing_key(trust, jws.kid, claims)
    verify_jws(jws, key)
    return key


def check_further(
    texts: Sequence[str], jwt: str, claims: StatementClaims, trust: VerifiedTrustList
) -> tuple[FurtherSignature, ...]:
    """Every further signature over ``jwt`` holds, or can't be checked now.

    Raises MalformedError, VerificationError ``signature.*`` if one is false; UnavailableError as ``find_issuing_key``.
    """
    first = parse_jws(jwt, typ=STATEMENT_TYP, max_bytes=MAX_STATEMENT_BYTES)
    parsed = [parse_second_signature(jwt, text) for text in texts]
    check_distinct_algorithms([first.alg, *(signature.jws.alg for signature in parsed)])
    return tuple(_check_one(signature, jwt, claims, trust) for signature in parsed)


def _check_one(
    signature: UnverifiedSecondSignature, jwt: str, claims: StatementClaims, trust: VerifiedTrustList
) -> FurtherSignature:
    key = find_issuing_key(trust, signature.key_id, claims)
    try:
        verify_second_signature(jwt, signature.text, key)
    except UnavailableError as gap:
        return FurtherSignature(claims, key, gap)
    return FurtherSignature(claims, key, None)


def check_profiles(
    first: PublicKey | None, further: Sequence[FurtherSignature], needed: Collection[CryptoProfile]
) -> None:
    """Return if the signatures that verified cover every profile ``needed``.

    Raises UnavailableError: ``signature.profile``, or why the signature of that profile could not be checked.
    """
    covered = {each.key.profile for each in further if each.gap is None} | ({first.profile} if first else set())
    for profile in CryptoProfile:
        if profile in needed and profile not in covered:
            gaps = [each.gap for each in further if each.key.profile == profile and each.gap is not None]
            message = f"the statement has no {profile} signature that was verified, and one is asked for"
            raise gaps[0] if gaps else UnavailableError("signature.profile", message)


def check_issuer(
    claims: StatementClaims,
    kid: KeyId,
    trust: VerifiedTrustList,
    *,
    now: int,
    proven_at: int | None,
    region: str | None,
) -> KeyStanding:
    """The signing key is the claimed issuer's, in the role ``issue``, for this type and place, at the time of issue.

    ``region`` is the place that the statement is about, if that is disclosed.
    """
    entity = next((entity for entity in trust.list.entities if entity.id == claims.iss), None)
    if entity is None:
        raise VerificationError("issuer.unknown", "the trust list does not know this issuer")
    key = trust.list.find_key(claims.iss, kid, "issue")
    return check_key(
        key,
        entity=entity,
        trust=trust,
        role="issue",
        at=claims.iat,
        now=now,
        proven_at=proven_at,
        vct=claims.vct,
        region=region,
    )


def check_further_issuer(
    signature: FurtherSignature, trust: VerifiedTrustList, *, now: int, needed: Collection[CryptoProfile]
) -> str | None:
    """A further signature's key is the issuer's too and counts; else the code that says why it is left aside.

    Neither log nor time stamp dates a further signature, so one by a key that was compromised since counts for nothing,
    just as if it had been cut off. That is a refusal only where its profile is ``needed``, and so is a gap.
    """
    try:
        check_issuer(signature.claims, signature.key.key_id, trust, now=now, proven_at=None, region=None)
    except UnavailableError:
        if signature.key.profile in needed:
            raise
        return "signature.partly-checked"
    except VerificationError as error:
        if signature.key.profile in needed or error.code not in _NOT_COUNTED:
            raise
        return "signature.not-counted"
    return None
