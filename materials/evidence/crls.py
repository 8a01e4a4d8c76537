"""The revocation lists that a bundle brings along: each must be of an authority that something here leads to.

Whether a list is fresh, and names a certificate, is for the check of each chain. But nothing rides along unproved: a
list that nobody signed is refused even where no chain needs it.
"""

from collections.abc import Iterable, Iterator

from materials.bundle import BundledTimestamp
from materials.trust.model import TrustList
from signing import LedgerError, UnavailableError
from signing.rfc3161.timestamps import parse_timestamp
from signing.x509.certificates import Certificate, parse_certificate
from signing.x509.revocation import RevocationList
from signing.x509.signature import check_signature


def check_crl(crl: RevocationList, authorities: Iterable[Certificate]) -> None:
    """One of ``authorities`` signed ``crl``.

    Raises VerificationError ``certificate.signature`` or ``certificate.algorithm``; UnavailableError
    ``certificate.crl-issuer`` if none of them has its issuer's name, ``extra.gm``.
    """
    failure: LedgerError = UnavailableError("certificate.crl-issuer", "a revocation list is of an unknown authority")
    for authority in authorities:
        if authority.subject == crl.issuer:
            try:
                return check_signature(crl.signed, authority.spki, what="revocation list")
            except LedgerError as error:
                failure = error
    raise failure


def known_authorities(trust: TrustList, stamps: Iterable[BundledTimestamp]) -> Iterator[Certificate]:
    """The roots of the trust list, and the certificates between them and the keys and time stamps that are used."""
    for authority in trust.authorities:
        yield authority.certificate
    for entity in trust.entities:
        for key in entity.keys:
            yield from key.chain[1:]
    for stamp in stamps:
        try:
            certificates = parse_timestamp(stamp.token).signer.certificates
            yield from [parse_certificate(certificate) for certificate in certificates]
        except LedgerError:
            continue  # the time stamp's own facet says so
