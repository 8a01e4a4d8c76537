"""What the extensions of a certificate allow (RFC 5280 §4.2), as far as a path is judged by it."""

from dataclasses import dataclass
from typing import Final, TypeVar

from cryptography import x509
from cryptography.x509.oid import ExtensionOID

_Kind = TypeVar("_Kind", bound=x509.ExtensionType)
_NEVER: Final = {ExtensionOID.NAME_CONSTRAINTS, ExtensionOID.POLICY_CONSTRAINTS}
_APPLIED: Final = {
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.SUBJECT_KEY_IDENTIFIER,
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    # Every policy is accepted and none is asked for, so that policies can't make a path fail (RFC 5280 §6.1.1).
    ExtensionOID.CERTIFICATE_POLICIES,
}


@dataclass(frozen=True, slots=True)
class Extensions:
    """``key_usage``: the bits that are set, None without the extension; ``purposes``: extended key usage, dotted.

    ``unapplied``: there is a critical extension that we do not apply, or one of those that must never be overlooked
    (name and policy constraints). ``subject_key`` and ``authority_key`` are key identifiers.
    """

    ca: bool = False
    path_length: int | None = None
    key_usage: frozenset[str] | None = None
    purposes: frozenset[str] | None = None
    purposes_critical: bool = False
    subject_key: bytes | None = None
    authority_key: bytes | None = None
    unapplied: bool = False


def read_extensions(extensions: x509.Extensions) -> Extensions:
    """Read what cryptography has parsed."""
    basic = _value(extensions, x509.BasicConstraints)
    usage = _value(extensions, x509.KeyUsage)
    purposes = _value(extensions, x509.ExtendedKeyUsage)
    subject_key = _value(extensions, x509.SubjectKeyIdentifier)
    authority_key = _value(extensions, x509.AuthorityKeyIdentifier)
    return Extensions(
        ca=basic is not None and basic.ca,
        path_length=None if basic is None else basic.path_length,
        key_usage=None if usage is None else _bits(usage),
        purposes=None if purposes is None else frozenset(purpose.dotted_string for purpose in purposes),
        purposes_critical=any(each.critical for each in extensions if each.oid == ExtensionOID.EXTENDED_KEY_USAGE),
        subject_key=None if subject_key is None else subject_key.digest,
        authority_key=None if authority_key is None else authority_key.key_identifier,
        unapplied=any(each.oid in _NEVER or (each.critical and each.oid not in _APPLIED) for each in extensions),
    )


def _value(extensions: x509.Extensions, kind: type[_Kind]) -> _Kind | None:
    return next((each.value for each in extensions if isinstance(each.value, kind)), None)


def _bits(usage: x509.KeyUsage) -> frozenset[str]:
    names = ("digital_signature", "content_commitment", "key_cert_sign", "crl_sign")
    return frozenset(name for name in names if getattr(usage, name))
