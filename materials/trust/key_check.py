"""The one rule of whether a key counts for a signature: who, in which role, for what, where, when, and ended how.

Every signed object is judged by it: statements and their further signatures, status lists, events, grant links, usage
records, trust lists, and calls over HTTP.
"""

from enum import StrEnum

from materials.ids import entity_uscc
from materials.regions import region_contains
from materials.times import SKEW_SECONDS
from materials.trust.model import Entity, Role, TrustKey, VerifiedTrustList
from signing.errors import VerificationError
from signing.x509.path import verify_chain
from signing.x509.status import CertificateStanding


class KeyStanding(StrEnum):
    """How a key that counts for a signature stands today; anything but CURRENT belongs in the verdict."""

    CURRENT = "key.current"
    RETIRED = "key.retired"
    LATER_COMPROMISED = "key.later-compromised"


_OF_CERTIFICATE = {
    CertificateStanding.CURRENT: KeyStanding.CURRENT,
    CertificateStanding.RETIRED: KeyStanding.RETIRED,
    CertificateStanding.LATER_COMPROMISED: KeyStanding.LATER_COMPROMISED,
}


def check_key(
    key: TrustKey,
    *,
    entity: Entity,
    trust: VerifiedTrustList,
    role: Role,
    at: int,
    now: int,
    proven_at: int | None = None,
    vct: str | None = None,
    region: str | None = None,
) -> KeyStanding:
    """Return how ``key`` of ``entity`` stands if it counts for a signature made ``at`` (as its signer says).

    ``proven_at`` is a time by which the signature provably existed (an anchor, a time stamp). A key that was revoked
    as compromised, or for no stated reason, counts only for signatures proven to be older than that. ``vct`` and
    ``region``, where given, must be among what the entity is listed for. A key listed by certificate needs a good chain
    to an authority of ``trust`` as well, judged with the revocation lists that ``trust`` carries.

    Raises VerificationError: ``key.unknown``, ``key.role``, ``key.window``, ``key.compromised``, ``key.constraint``,
    ``certificate.*``; UnavailableError where revocation or algorithm can't be checked now.
    """
    if key not in entity.keys:
        raise VerificationError("key.unknown", "the key is not one of this organisation")
    if key.role != role:
        raise VerificationError("key.role", f"the key is not listed for the role {role}")
    if not key.nbf - SKEW_SECONDS <= at < key.exp + SKEW_SECONDS:
        raise VerificationError("key.window", "signed outside the time for which the key is listed")
    if vct is not None and vct not in entity.types:
        raise VerificationError("key.constraint", "the organisation is not listed for this type of material")
    if region is not None and not region_contains(entity.region, region):
        raise VerificationError("key.constraint", "the place is outside the organisation's region")
    judged_at = max(now, at)  # a signature dated after the decision is judged as of its own date
    listed = _standing(key, at=at, now=judged_at, proven_at=proven_at)
    if not key.chain:
        return listed
    certified = _OF_CERTIFICATE[_check_chain(key, entity, trust, at=at, now=judged_at, proven_at=proven_at)]
    return max(listed, certified, key=list(KeyStanding).index)


def _standing(key: TrustKey, *, at: int, now: int, proven_at: int | None) -> KeyStanding:
    """What the trust list itself says: the table in ``docs/security.md``."""
    retired = KeyStanding.RETIRED if now >= key.exp else KeyStanding.CURRENT
    revoked = key.revoked
    if revoked is None or now < revoked.at:
        return retired
    if revoked.reason == "superseded":
        if at >= revoked.at:
            raise VerificationError("key.window", "signed after the key was superseded")
        return KeyStanding.RETIRED
    if proven_at is None or proven_at >= revoked.at or at >= revoked.at:
        raise VerificationError("key.compromised", "the key was revoked, and nothing proves the signature to be older")
    return KeyStanding.LATER_COMPROMISED


def _check_chain(
    key: TrustKey, entity: Entity, trust: VerifiedTrustList, *, at: int, now: int, proven_at: int | None
) -> CertificateStanding:
    """The chain leads to an authority for organisations, and its first certificate names this organisation."""
    issuer = key.chain[-1].issuer
    above = [
        authority for authority in trust.list.authorities_for("organisation") if authority.certificate.subject == issuer
    ]
    verified = verify_chain(
        key.chain,
        roots=[authority.certificate for authority in above],
        crls=trust.crls,
        crl_required=any(authority.revocation == "crl" for authority in above),
        at=at,
        now=now,
        proven_at=proven_at,
    )
    if verified.uscc != entity_uscc(entity.id):
        raise VerificationError("certificate.subject", "the certificate names another organisation")
    return verified.standing
