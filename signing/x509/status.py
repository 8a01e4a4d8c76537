"""Whether a certificate was revoked, as far as the revocation lists at hand tell (RFC 5280 §6.3), and what follows.

A list counts only if it was signed by the key that signed the certificate; there are no lists by other authorities.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final

from signing.errors import UnavailableError, VerificationError
from signing.x509.certificates import Certificate
from signing.x509.revocation import RevocationList, RevokedEntry
from signing.x509.signature import check_signature

_KEY_STAYED_SAFE: Final = {"superseded", "cessationOfOperation", "affiliationChanged"}


class CertificateStanding(StrEnum):
    """How a certificate that counts for a signature stands today; anything but CURRENT belongs in the verdict."""

    CURRENT = "certificate.current"
    RETIRED = "certificate.retired"
    LATER_COMPROMISED = "certificate.later-compromised"


def check_status(
    certificate: Certificate,
    issuer: Certificate,
    *,
    crls: Sequence[RevocationList],
    required: bool,
    at: int,
    now: int,
    proven_at: int | None,
) -> CertificateStanding:
    """Return how ``certificate`` stands for a signature made ``at`` (as its signer says) if no list speaks against it.

    What the newest list that names the certificate says is applied (``_judge``), however old the list is: revocation is
    for good. To be known as *not* revoked, or not for a worse reason, takes a list that is fresh (thisUpdate ≤ now <
    nextUpdate) or was made after the signature was proven to exist (``proven_at`` ≤ thisUpdate), and that names the
    certificate or was made while it was valid: later lists need not name it any more. Lists older than that one are
    not looked at. Raises VerificationError (``certificate.revoked``, ``certificate.compromised``), UnavailableError
    (``certificate.hold``; ``certificate.revocation`` if there is no such list though one is ``required``).
    """
    standing = None
    for crl in _lists_of(issuer, crls, now):
        entry = crl.entries.get(certificate.serial)
        if standing is None and entry is not None:
            standing = _judge(entry, at=at, proven_at=proven_at)
        fresh = now < crl.next_update or (proven_at is not None and proven_at <= crl.this_update)
        if fresh and (entry is not None or crl.this_update <= certificate.not_after):
            return standing or CertificateStanding.CURRENT
    if required:
        message = "no revocation list at hand tells whether the certificate was revoked"
        raise UnavailableError("certificate.revocation", message)
    return standing or CertificateStanding.CURRENT


def check_crl(crl: RevocationList, issuer: Certificate) -> None:
    """Return if ``issuer`` signed ``crl`` and may; says nothing about its age, or whether it can decide anything.

    Raises VerificationError: ``certificate.issuer`` for another's list, ``certificate.usage`` for a key that is not
    for lists, ``certificate.algorithm``, ``certificate.signature``; UnavailableError (``extra.gm``).
    """
    keys = {crl.authority_key, issuer.extensions.subject_key} - {None}
    if crl.issuer != issuer.subject or len(keys) > 1:
        raise VerificationError("certificate.issuer", "the revocation list is of another authority")
    if issuer.extensions.key_usage is not None and "crl_sign" not in issuer.extensions.key_usage:
        raise VerificationError("certificate.usage", "the authority's key is not for revocation lists")
    check_signature(crl.signed, issuer.spki, what="revocation list")


def _lists_of(issuer: Certificate, crls: Sequence[RevocationList], now: int) -> Iterator[RevocationList]:
    """The lists that ``issuer`` signed and that we can read in full, newest first, none from the future."""
    for crl in sorted(crls, key=lambda each: each.this_update, reverse=True):
        if crl.complete and crl.this_update <= now:
            try:
                check_crl(crl, issuer)
            except VerificationError:
                continue
            yield crl


def _judge(entry: RevokedEntry, *, at: int, proven_at: int | None) -> CertificateStanding:
    """The table of the trust list's keys (``docs/formats.md``), for certificates.

    Where the key stayed safe, the signing time that the signer states is believed. In all other cases, "no reason"
    among them, whoever has the key can state any time, so the signature must be proven to be older.
    """
    proven = proven_at is not None and proven_at < entry.since
    if entry.reason == "certificateHold":
        if proven:
            return CertificateStanding.RETIRED
        raise UnavailableError("certificate.hold", "the certificate is suspended; its issuer has not decided yet")
    if at >= entry.since:
        raise VerificationError("certificate.revoked", "signed after the certificate was revoked")
    if entry.reason in _KEY_STAYED_SAFE:
        return CertificateStanding.RETIRED
    if proven:
        return CertificateStanding.LATER_COMPROMISED
    message = "the certificate was revoked, and nothing proves the signature to be older"
    raise VerificationError("certificate.compromised", message)
