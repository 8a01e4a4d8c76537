"""From an organisation's certificate to a root that we were given: path validation (RFC 5280 §6) at a given time.

A root is trusted because it was given: its own signature and revocation are not looked at, all else is. Nothing is
fetched; no authority-information-access, no OCSP.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, Literal

from signing.errors import MalformedError, UnavailableError, VerificationError
from signing.keys import PublicKey
from signing.x509.certificates import CHAIN_MAX, Certificate
from signing.x509.revocation import RevocationList
from signing.x509.signature import check_certificate
from signing.x509.status import CertificateStanding, check_status

Usage = Literal["signature", "timestamp"]

_ANY_PURPOSE: Final = "2.5.29.37.0"
_TIME_STAMPING: Final = "1.3.6.1.5.5.7.3.8"
_PURPOSES: Final[dict[Usage, frozenset[str]]] = {
    # anyExtendedKeyUsage, clientAuth, emailProtection, documentSigning (RFC 9336): what organisations' have
    "signature": frozenset({_ANY_PURPOSE, "1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.4", "1.3.6.1.5.5.7.3.36"}),
    "timestamp": frozenset({_ANY_PURPOSE, _TIME_STAMPING}),
}


@dataclass(frozen=True, slots=True)
class VerifiedPath:
    """Certificates from leaf to a given root, each vouching for the one before; only ``verify_path`` makes one."""

    certificates: tuple[Certificate, ...]
    standing: CertificateStanding

    @property
    def root(self) -> Certificate:
        """The given root that the path ends at."""
        return self.certificates[-1]


@dataclass(frozen=True, slots=True)
class VerifiedChain:
    """An organisation's verified certificates, leaf to root: ``public_key`` is that of the organisation ``uscc``."""

    chain: tuple[Certificate, ...]
    public_key: PublicKey
    uscc: str = field(repr=False)
    standing: CertificateStanding


def verify_chain(
    chain: Sequence[Certificate],
    *,
    roots: Sequence[Certificate],
    crls: Sequence[RevocationList],
    crl_required: bool,
    at: int,
    now: int,
    proven_at: int | None = None,
) -> VerifiedChain:
    """Verify that the first of ``chain`` is the signing certificate of an organisation; see ``verify_path``.

    Raises also VerificationError: ``certificate.subject`` if its subject does not name exactly one USCC,
    ``certificate.key`` if its key is of a kind that nothing is signed with here.
    """
    path = verify_path(
        chain, usage="signature", roots=roots, crls=crls, crl_required=crl_required, at=at, now=now, proven_at=proven_at
    )
    leaf = path.certificates[0]
    if leaf.uscc is None:
        raise VerificationError("certificate.subject", "the certificate's subject does not name exactly one USCC")
    if leaf.public_key is None:
        raise VerificationError("certificate.key", "the certificate's key is not Ed25519, P-256, P-384 or SM2")
    return VerifiedChain(path.certificates, leaf.public_key, leaf.uscc, path.standing)


def verify_path(
    chain: Sequence[Certificate],
    *,
    usage: Usage,
    roots: Sequence[Certificate],
    crls: Sequence[RevocationList],
    crl_required: bool,
    at: int,
    now: int,
    proven_at: int | None = None,
) -> VerifiedPath:
    """Verify ``chain`` (leaf first, the root itself may be left out) for a signature of kind ``usage`` made ``at``.

    ``at`` is the time that the signer states, the caller having made sure that it is not after ``now``; every
    certificate must be valid then. ``proven_at`` is a time by which the signature provably existed (an anchor, a time
    stamp). ``crl_required``: each certificate below the root needs a revocation list that tells about it. Unix seconds.

    Raises VerificationError: ``certificate.issuer``, ``certificate.algorithm``, ``certificate.signature``,
    ``certificate.window``, ``certificate.extension``, ``certificate.constraint``, ``certificate.usage``,
    ``certificate.revoked``, ``certificate.compromised``; UnavailableError: ``certificate.revocation``,
    ``certificate.hold``, ``extra.gm``; MalformedError: ``certificate.chain`` for none or more than 8.
    """
    path = _find_path(chain, roots, at)
    for certificate in path:
        if not certificate.valid_at(at):
            raise VerificationError("certificate.window", "signed while a certificate of the chain was not valid")
        if certificate.extensions.unapplied:
            message = "a certificate has a critical extension that is not applied here, or name or policy constraints"
            raise VerificationError("certificate.extension", message)
    for place in range(1, len(path)):
        _check_authority(path, place)
    _check_usage(path, usage)
    standing = _check_statuses(path, crls=crls, required=crl_required, at=at, now=now, proven_at=proven_at)
    return VerifiedPath(path, standing)


def _check_statuses(
    path: tuple[Certificate, ...],
    *,
    crls: Sequence[RevocationList],
    required: bool,
    at: int,
    now: int,
    proven_at: int | None,
) -> CertificateStanding:
    """The worst standing in ``path``. A revoked certificate is told of even if another's status is not known."""
    expired = any(now > certificate.not_after for certificate in path)
    standings = [CertificateStanding.RETIRED if expired else CertificateStanding.CURRENT]
    unknown: UnavailableError | None = None
    for certificate, issuer in pairwise(path):
        try:
            standings.append(
                check_status(certificate, issuer, crls=crls, required=required, at=at, now=now, proven_at=proven_at)
            )
        except UnavailableError as error:
            unknown = unknown or error
    if unknown is not None:
        raise unknown
    return max(standings, key=list(CertificateStanding).index)


def _find_path(chain: Sequence[Certificate], roots: Sequence[Certificate], at: int) -> tuple[Certificate, ...]:
    """``chain`` up to its root, with names and signatures checked."""
    if not 1 <= len(chain) <= CHAIN_MAX:
        raise MalformedError("certificate.chain", f"certificate chain: not 1 to {CHAIN_MAX} certificates")
    if len({certificate.der for certificate in chain}) != len(chain):
        raise VerificationError("certificate.issuer", "a certificate occurs twice in the chain")
    for certificate, issuer in pairwise(chain):
        if not names_issuer(certificate, issuer):
            raise VerificationError("certificate.issuer", "the certificates do not follow each other, leaf first")
        check_certificate(certificate.signed, issuer.spki)
    if any(chain[-1].der == root.der for root in roots):
        if len(chain) == 1:
            raise VerificationError("certificate.issuer", "a root does not sign in its own name")
        return tuple(chain)
    return (*chain, _find_root(chain[-1], roots, at))


def _find_root(last: Certificate, roots: Sequence[Certificate], at: int) -> Certificate:
    """The given root that signed ``last``; of two with one key that which is valid ``at``."""
    named = sorted((root for root in roots if names_issuer(last, root)), key=lambda root: not root.valid_at(at))
    if not named:
        raise VerificationError("certificate.issuer", "the chain does not lead to a root that was given")
    for root in named[:-1]:
        with suppress(VerificationError):
            check_certificate(last.signed, root.spki)
            return root
    check_certificate(last.signed, named[-1].spki)
    return named[-1]


def names_issuer(certificate: Certificate, issuer: Certificate) -> bool:
    """Whether ``certificate`` says that ``issuer`` issued it; the key identifiers must agree where both have one."""
    keys = {certificate.extensions.authority_key, issuer.extensions.subject_key} - {None}
    return certificate.issuer == issuer.subject and len(keys) < 2


def _check_authority(path: tuple[Certificate, ...], place: int) -> None:
    """Whether the certificate at ``place`` may have issued the one before it (RFC 5280 §6.1.4 k–n)."""
    authority = path[place].extensions
    if not authority.ca:
        raise VerificationError("certificate.constraint", "an issuing certificate is not that of an authority")
    # Certificates that an authority issued to itself for a new key do not count.
    below = sum(each.subject != each.issuer for each in path[1:place])
    if authority.path_length is not None and below > authority.path_length:
        raise VerificationError("certificate.constraint", "the chain is longer than an authority allows below it")
    if authority.key_usage is not None and "key_cert_sign" not in authority.key_usage:
        raise VerificationError("certificate.usage", "an authority's key is not for signing certificates")


def _check_usage(path: tuple[Certificate, ...], usage: Usage) -> None:
    leaf = path[0].extensions
    if leaf.ca:
        raise VerificationError("certificate.usage", "an authority's certificate does not sign anything else")
    if leaf.key_usage is not None and not leaf.key_usage & {"digital_signature", "content_commitment"}:
        raise VerificationError("certificate.usage", "the certificate's key is not for signatures")
    for certificate in path[:-1]:
        purposes = certificate.extensions.purposes
        if purposes is not None and not purposes & _PURPOSES[usage]:
            raise VerificationError("certificate.usage", "the certificate is for another purpose")
    only_stamps = leaf.purposes == frozenset({_TIME_STAMPING}) and leaf.purposes_critical  # RFC 3161 §2.3
    if usage == "timestamp" and not only_stamps:
        raise VerificationError("certificate.usage", "the certificate is not for time stamps alone")
