"""The form of a time-stamp token: CMS SignedData around a TSTInfo (RFC 3161 §2.4.2, RFC 5652, RFC 5816).

Stricter than CMS, so that no byte of a token is outside what is signed or compared: DER only, one signer, his
certificates and no others, no CRLs, no unsigned attributes.
"""

from dataclasses import dataclass, field
from typing import Final

from signing.errors import MalformedError
from signing.rfc3161.der_values import (
    INTEGER,
    OCTET_STRING,
    OID,
    SEQUENCE,
    SET,
    by_tag,
    context,
    der,
    read_algorithm,
    read_integer,
    read_members,
    read_oid,
)
from signing.rfc3161.tst_info import TstInfo, read_tst_info
from signing.x509.der import Element, read_elements, read_sequence

TIMESTAMP_MAX_BYTES: Final = 64 << 10
SHA1: Final = "1.3.14.3.2.26"
SHA256: Final = "2.16.840.1.101.3.4.2.1"

_WHAT: Final = "time-stamp token"
_SIGNED_DATA: Final = "1.2.840.113549.1.7.2"
_TST_INFO: Final = "1.2.840.113549.1.9.16.1.4"
_CONTENT_TYPE: Final = "1.2.840.113549.1.9.3"
_SIGNING_CERTIFICATE: Final = "1.2.840.113549.1.9.16.2.12"
_SIGNING_CERTIFICATE_V2: Final = "1.2.840.113549.1.9.16.2.47"
_DIRECTORY_NAME: Final = context(4)


@dataclass(frozen=True, slots=True)
class CertificateName:
    """How a signed attribute names the signing certificate: by digest (algorithm as OID), and maybe issuer."""

    algorithm: str
    digest: bytes
    issuer_serial: tuple[bytes, int] | None


@dataclass(frozen=True, slots=True)
class TokenSigner:
    """The one signer: the certificate meant, by its issuer (DER) and serial, and by the signed ``names``; algorithms.

    ``certificates`` are the DER certificates that came with the token; algorithms are OIDs.
    """

    issuer: bytes
    serial: int
    names: tuple[CertificateName, ...]
    certificates: tuple[bytes, ...]
    digest_algorithm: str
    signature_algorithm: str


@dataclass(frozen=True, slots=True)
class Timestamp:
    """A well-formed token, not verified: ``token`` is the DER TimeStampToken as received, ``info`` what it states."""

    token: bytes = field(repr=False)
    info: TstInfo
    signer: TokenSigner = field(repr=False)

    @property
    def gen_time(self) -> int:
        """When it says it was made, Unix seconds, rounded down."""
        return self.info.gen_time


def parse_timestamp(token: bytes) -> Timestamp:
    """Read a DER TimeStampToken of at most 64 KiB; says nothing about who signed it.

    Raises MalformedError (``form.size``, ``form.der``, ``timestamp.form``), VerificationError (``timestamp.extension``)
    for a statement with a critical extension.
    """
    if len(token) > TIMESTAMP_MAX_BYTES:
        raise MalformedError("form.size", f"{_WHAT}: more than {TIMESTAMP_MAX_BYTES} bytes")
    signed_data = _explicit(read_sequence(token, what=_WHAT), _SIGNED_DATA)
    version, digests, content_info, certificates, signers = read_members(
        signed_data, INTEGER, SET, SEQUENCE, context(0), SET, what=_WHAT
    )
    content = _explicit(read_elements(content_info.content, what=_WHAT), _TST_INFO)
    if read_integer(version, what=_WHAT) != 3 or signed_data.tag != SEQUENCE or content.tag != OCTET_STRING:
        raise MalformedError("timestamp.form", f"{_WHAT}: not SignedData of version 3 with its content")
    signer_info = read_members(signers, SEQUENCE, what=f"{_WHAT}: signers")[0]
    held = tuple(element.whole for element in read_elements(certificates.content, what=_WHAT))
    signer = _read_signer(signer_info, held)
    announced = read_members(digests, SEQUENCE, what=f"{_WHAT}: digest algorithms")[0]
    if read_algorithm(announced, what=_WHAT) != signer.digest_algorithm:
        raise MalformedError("timestamp.form", f"{_WHAT}: announces another digest algorithm than its signer's")
    return Timestamp(token, read_tst_info(content.content), signer)


def sort_certificates(token: bytes) -> bytes:
    """A well-formed token with its certificates in the order of a DER SET (X.690 §11.6).

    They are not signed, and CMS asks for no order (RFC 5652 §5.1): OpenSSL writes them as they come. rfc3161-client
    reads sorted ones only.
    """
    content_type, wrapped = read_sequence(token, what=_WHAT)
    members = read_sequence(wrapped.content, what=_WHAT)
    certificates = sorted(element.whole for element in read_elements(members[3].content, what=_WHAT))
    before = [member.whole for member in members[:3]]
    signed_data = der(SEQUENCE, *before, der(context(0), *certificates), members[4].whole)
    return der(SEQUENCE, content_type.whole, der(context(0), signed_data))


def _explicit(members: tuple[Element, ...], content_type: str) -> Element:
    """The content of a ContentInfo of that type."""
    if [member.tag for member in members] != [OID, context(0)] or read_oid(members[0], what=_WHAT) != content_type:
        raise MalformedError("timestamp.form", f"{_WHAT}: not a TSTInfo in SignedData")
    contents = read_elements(members[1].content, what=_WHAT)
    if len(contents) != 1:
        raise MalformedError("timestamp.form", f"{_WHAT}: not one content")
    return contents[0]


def _read_signer(element: Element, certificates: tuple[bytes, ...]) -> TokenSigner:
    version, sid, digest_algorithm, attributes, signature_algorithm, _ = read_members(
        element, INTEGER, SEQUENCE, SEQUENCE, context(0), SEQUENCE, OCTET_STRING, what=f"{_WHAT}: signer"
    )
    issuer, serial = read_members(sid, SEQUENCE, INTEGER, what=f"{_WHAT}: signer")
    if read_integer(version, what=_WHAT) != 1:
        raise MalformedError("timestamp.form", f"{_WHAT}: the signer's version is not 1")
    values = _read_attributes(attributes)
    if _CONTENT_TYPE not in values or read_oid(values[_CONTENT_TYPE], what=_WHAT) != _TST_INFO:
        raise MalformedError("timestamp.form", f"{_WHAT}: signed as another type of content")
    return TokenSigner(
        issuer=issuer.whole,
        serial=read_integer(serial, what=_WHAT),
        names=_read_names(values),
        certificates=certificates,
        digest_algorithm=read_algorithm(digest_algorithm, what=_WHAT),
        signature_algorithm=read_algorithm(signature_algorithm, what=_WHAT),
    )


def _read_attributes(element: Element) -> dict[str, Element]:
    """The signed attributes, each with one value (RFC 5652 §5.3)."""
    values: dict[str, Element] = {}
    for attribute in read_elements(element.content, what=_WHAT):
        kind, value_set = read_members(attribute, OID, SET, what=f"{_WHAT}: attribute")
        oid, held = read_oid(kind, what=_WHAT), read_elements(value_set.content, what=_WHAT)
        if oid in values or len(held) != 1:
            raise MalformedError("timestamp.form", f"{_WHAT}: an attribute is repeated or has not one value")
        values[oid] = held[0]
    return values


def _read_names(values: dict[str, Element]) -> tuple[CertificateName, ...]:
    """What names the signing certificate: the first member of one or both attributes (RFC 5035 §3, RFC 5816 §2.2.1)."""
    names = [
        _read_name(_first(_first(values[oid])), default)
        for oid, default in ((_SIGNING_CERTIFICATE, SHA1), (_SIGNING_CERTIFICATE_V2, SHA256))
        if oid in values
    ]
    if not names:
        raise MalformedError("timestamp.form", f"{_WHAT}: does not say which certificate signed it")
    return tuple(names)


def _first(element: Element) -> Element:
    members = read_elements(element.content, what=_WHAT)
    if not members or members[0].tag != SEQUENCE:
        raise MalformedError("timestamp.form", f"{_WHAT}: an attribute without a certificate id")
    return members[0]


def _read_name(element: Element, default: str) -> CertificateName:
    """An ESSCertID (SHA-1), or an ESSCertIDv2 with its algorithm."""
    members = read_elements(element.content, what=_WHAT)
    algorithm = default
    if default != SHA1 and members and members[0].tag == SEQUENCE:
        algorithm, members = read_algorithm(members[0], what=_WHAT), members[1:]
    parts = by_tag(members, OCTET_STRING, SEQUENCE, what=f"{_WHAT}: certificate id")
    if OCTET_STRING not in parts:
        raise MalformedError("timestamp.form", f"{_WHAT}: a certificate id without a digest")
    if SEQUENCE not in parts:
        return CertificateName(algorithm, parts[OCTET_STRING].content, None)
    issuer, serial = read_members(parts[SEQUENCE], SEQUENCE, INTEGER, what=f"{_WHAT}: certificate id")
    name = read_members(issuer, _DIRECTORY_NAME, what=f"{_WHAT}: certificate id")[0]
    return CertificateName(algorithm, parts[OCTET_STRING].content, (name.content, read_integer(serial, what=_WHAT)))
