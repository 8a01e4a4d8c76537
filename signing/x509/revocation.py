"""Certificate revocation lists (RFC 5280 §5) as data. Reading one proves nothing: see ``certificate_status``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.x509.oid import CRLEntryExtensionOID, ExtensionOID

from signing.errors import MalformedError
from signing.x509.certificates import read_pem
from signing.x509.der import SEQUENCE
from signing.x509.signature import Signed, read_signed

CRL_MAX_BYTES: Final = 4 << 20

_VERSION: Final = 0x02
_PARTIAL: Final = {ExtensionOID.DELTA_CRL_INDICATOR, ExtensionOID.ISSUING_DISTRIBUTION_POINT}
_ENTRY_APPLIED: Final = {CRLEntryExtensionOID.CRL_REASON, CRLEntryExtensionOID.INVALIDITY_DATE}


@dataclass(frozen=True, slots=True)
class RevokedEntry:
    """One revoked certificate: since when, and the reason as RFC 5280 §5.3.1 spells it (``unspecified`` if none).

    ``since`` is the revocation date, or the invalidity date (§5.3.2) where that is earlier; Unix seconds.
    """

    since: int
    reason: str


@dataclass(frozen=True, slots=True)
class RevocationList:
    """A revocation list that was read, not verified; times in Unix seconds, ``issuer`` a name in DER.

    ``complete``: it is about all certificates of its issuer and holds nothing critical that we don't apply. Delta and
    indirect lists, and those with an issuing distribution point, are not; such a list decides nothing.
    """

    der: bytes = field(repr=False)
    issuer: bytes = field(repr=False)
    this_update: int
    next_update: int
    authority_key: bytes | None = field(repr=False)
    complete: bool
    entries: Mapping[int, RevokedEntry] = field(repr=False)
    signed: Signed = field(repr=False)


def parse_crl(data: bytes) -> RevocationList:
    """Read one revocation list, PEM (``X509 CRL``) or DER.

    Raises MalformedError: ``form.size``, ``form.der``, ``certificate.form``, ``certificate.crl``,
    ``certificate.private-key``.
    """
    if len(data) > CRL_MAX_BYTES:
        raise MalformedError("form.size", f"revocation list: larger than {CRL_MAX_BYTES} bytes")
    blocks = read_pem(data, label=b"X509 CRL", what="revocation list")
    signed, fields = read_signed(blocks[0], version=_VERSION, inner=0, what="revocation list")
    if len(blocks) != 1 or len(fields) < 2 or fields[1].tag != SEQUENCE:
        raise MalformedError("certificate.crl", "revocation list: not exactly one, or without an issuer")
    try:
        return _read_meaning(blocks[0], fields[1].whole, signed)
    except MemoryError:
        raise  # says nothing about what was read
    except Exception:  # cryptography reads late, and raises a dozen types; a list without nextUpdate ends here too
        raise MalformedError("certificate.crl", "revocation list: not of the form of RFC 5280") from None


def _read_meaning(der: bytes, issuer: bytes, signed: Signed) -> RevocationList:
    parsed = x509.load_der_x509_crl(der)
    this_update, next_update = parsed.last_update_utc, parsed.next_update_utc
    if next_update is None:
        raise ValueError
    key, complete = None, True
    for extension in parsed.extensions:
        if isinstance(extension.value, x509.AuthorityKeyIdentifier):
            key = extension.value.key_identifier
        elif extension.critical or extension.oid in _PARTIAL:
            complete = False
    entries: dict[int, RevokedEntry] = {}
    for revoked in parsed:
        complete = complete and all(each.oid in _ENTRY_APPLIED or not each.critical for each in revoked.extensions)
        if revoked.serial_number in entries:
            raise ValueError
        entries[revoked.serial_number] = _read_entry(revoked)
    return RevocationList(
        der, issuer, int(this_update.timestamp()), int(next_update.timestamp()), key, complete, entries, signed
    )


def _read_entry(revoked: x509.RevokedCertificate) -> RevokedEntry:
    since, reason = revoked.revocation_date_utc, x509.ReasonFlags.unspecified
    for extension in revoked.extensions:
        if isinstance(extension.value, x509.CRLReason):
            reason = extension.value.reason
        elif isinstance(extension.value, x509.InvalidityDate):
            since = min(since, extension.value.invalidity_date_utc)
    if reason is x509.ReasonFlags.remove_from_crl:  # only a delta list can say that
        raise ValueError
    return RevokedEntry(int(since.timestamp()), reason.value)
