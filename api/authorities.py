"""Certificate authorities of the home's trust list, and the revocation lists that they and those below them publish."""

from collections.abc import Collection
from dataclasses import replace
from typing import Final

from api.trust_lists import change_trust, current_trust
from api.workspace import Workspace
from materials.evidence.crls import check_crl, known_authorities
from materials.times import SKEW_SECONDS
from materials.trust.model import TrustedAuthority, TrustList
from signing import MalformedError, RefusedError, VerificationError
from signing.x509.certificates import Certificate
from signing.x509.revocation import RevocationList, parse_crl

_SHORTEST_FINGERPRINT: Final = 8


def add_authority(workspace: Workspace, authority: TrustedAuthority, now: int) -> None:
    """List a certificate authority, or change what is asked of one below it; publishes the trust list.

    Raises MalformedError (``certificate.not-a-root``) for a certificate that is not a CA's own, RefusedError:
    ``certificate.window`` for one that is out of date, ``trust.authority-use`` for one that is listed for another use.
    """
    certificate = authority.certificate
    if certificate.subject != certificate.issuer or not certificate.extensions.ca:
        raise MalformedError(
            "certificate.not-a-root", "an authority is listed by the self-issued certificate of its CA"
        )
    if not certificate.not_before <= now <= certificate.not_after:
        raise RefusedError("certificate.window", "the authority's certificate is not valid now")

    def change(trust_list: TrustList) -> TrustList:
        others = (known for known in trust_list.authorities if known.certificate != certificate)
        return replace(trust_list, authorities=(*others, authority))

    listed = list_authorities(workspace, now)
    if any(known.certificate == certificate and known.use != authority.use for known in listed):
        raise RefusedError("trust.authority-use", "the authority is listed for another use: remove it first")
    if authority not in listed:
        change_trust(workspace, change, now)


def remove_authority(workspace: Workspace, fingerprint: str, now: int) -> TrustedAuthority:
    """Take an authority off the list: keys certified below it prove nothing any more, older signatures included.

    ``fingerprint`` is SHA-256 of the certificate in hex, or its beginning, 8 digits at least. Raises RefusedError
    (``trust.authority``) unless exactly one listed authority has it.
    """
    listed = list_authorities(workspace, now)
    found = [known for known in listed if known.certificate.fingerprint.hex().startswith(fingerprint.lower())]
    if len(fingerprint) < _SHORTEST_FINGERPRINT or len(found) != 1:
        raise RefusedError("trust.authority", "not the fingerprint of exactly one listed authority")

    def change(trust_list: TrustList) -> TrustList:
        return replace(trust_list, authorities=tuple(known for known in trust_list.authorities if known != found[0]))

    change_trust(workspace, change, now)
    return found[0]


def list_authorities(workspace: Workspace, now: int) -> tuple[TrustedAuthority, ...]:
    """The authorities of the current trust list."""
    with workspace.database.read() as connection:
        return current_trust(workspace, connection, now).list.authorities


def add_crl(workspace: Workspace, data: bytes, now: int, *, issuers: Collection[Certificate] = ()) -> RevocationList:
    """Keep a revocation list (PEM or DER) for registrations, requests and bundles from now on.

    Its issuer is an authority of the trust list, a certificate in a listed key's chain, or one of ``issuers``. Raises
    MalformedError (``certificate.crl``; also for a partial list, which decides nothing and would hide a whole one),
    VerificationError (``time.not-yet``), and as ``check_crl``.
    """
    crl = parse_crl(data)
    if not crl.complete:
        raise MalformedError("certificate.crl", "a delta, indirect or otherwise partial list: give the complete one")
    if crl.this_update > now + SKEW_SECONDS:
        raise VerificationError("time.not-yet", "the revocation list is from the future")
    with workspace.database.read() as connection:
        trust = current_trust(workspace, connection, now)
    check_crl(crl, (*known_authorities(trust.list, ()), *issuers))
    workspace.crls.keep(crl)
    return crl
