"""Certificates made for tests: with cryptography's builder (fast), and with the openssl command for SM2.

    root = make_root("ES256")                                  # an Authority
    middle = root.issue("middle", ca=True)
    leaf = middle.issue("leaf", uscc=USCC, algorithm="Ed25519")
    chain, roots = (leaf.certificate, middle.certificate), (root.certificate,)
    crl = middle.crl({leaf.certificate.serial: (since, "superseded")})

``organisation(uscc, algorithm)`` is a ready one with a signer for statements, ``sm2_organisation(uscc)`` its GM sister,
``make_tsa()`` a time-stamping authority. Everything is valid from 2020 to 2040 unless told otherwise.
"""

import datetime
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from signing import MemorySigner, generate_signer
from signing.algorithms import Algorithm
from signing.forms.spki import spki_der
from signing.x509.certificates import Certificate, parse_certificate
from signing.x509.revocation import RevocationList, parse_crl

USCC: Final = "11310110MB9F000199"
OTHER_USCC: Final = "91310110MA9F000318"
NOT_BEFORE: Final = 1_577_836_800  # 2020-01-01
NOT_AFTER: Final = 2_208_988_800  # 2040-01-01
DAY: Final = 86_400

_serials = itertools.count(1001)
_USAGES: Final = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


def moment(seconds: int) -> datetime.datetime:
    """Unix seconds as cryptography's builders want them."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


@lru_cache(maxsize=64)
def make_key(algorithm: str, label: str) -> Any:
    """One key for each label and session: RSA keys are slow to make. ``RSA-1024`` and ``P-521`` are for refusals."""
    match algorithm:
        case "Ed25519":
            return ed25519.Ed25519PrivateKey.generate()
        case "ES256":
            return ec.generate_private_key(ec.SECP256R1())
        case "ES384":
            return ec.generate_private_key(ec.SECP384R1())
        case "P-521":
            return ec.generate_private_key(ec.SECP521R1())
        case "RSA" | "RSA-PSS":
            return rsa.generate_private_key(65537, 2048)
        case "RSA-1024":
            return rsa.generate_private_key(65537, 1024)  # refused, which is the test
    raise AssertionError(algorithm)


def key_usage(*names: str) -> x509.KeyUsage:
    """The extension with these bits set."""
    return x509.KeyUsage(**{name: name in names for name in _USAGES})


@dataclass(frozen=True)
class Authority:
    """A certificate with its private key; of an authority if it was issued with ``ca=True``."""

    certificate: Certificate
    key: Any = field(repr=False)
    algorithm: str = "ES256"

    @property
    def pem(self) -> bytes:
        """The certificate in PEM."""
        return x509.load_der_x509_certificate(self.certificate.der).public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The private key in PKCS#8 PEM, not encrypted, for the openssl command."""
        pem: bytes = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return pem

    def issue(self, name: str, **options: Any) -> "Authority":
        """A certificate signed by this one; see ``make_certificate`` for the options."""
        return make_certificate(name, issuer=self, **options)

    def crl(
        self,
        revoked: Mapping[int, tuple[int, str | None]] | None = None,
        *,
        this_update: int = NOT_BEFORE,
        next_update: int = NOT_AFTER,
        invalid_since: int | None = None,
        key_identifier: bool = True,
        extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
        entry_extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
    ) -> RevocationList:
        """A signed revocation list; ``revoked`` maps serial numbers to (since, reason or None)."""
        builder = x509.CertificateRevocationListBuilder().issuer_name(_name_of(self))
        builder = builder.last_update(moment(this_update)).next_update(moment(next_update))
        identifier = [(_authority_key(self), False)] if key_identifier else []
        for extension, critical in [*identifier, *extensions]:
            builder = builder.add_extension(extension, critical)
        for serial, (since, reason) in (revoked or {}).items():
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(moment(since))
            if reason is not None:
                entry = entry.add_extension(x509.CRLReason(x509.ReasonFlags(reason)), False)
            if invalid_since is not None:
                entry = entry.add_extension(x509.InvalidityDate(moment(invalid_since)), False)
            for extension, critical in entry_extensions:
                entry = entry.add_extension(extension, critical)
            builder = builder.add_revoked_certificate(entry.build())
        return parse_crl(builder.sign(self.key, _hash(self.algorithm)).public_bytes(Encoding.DER))


def make_root(algorithm: str = "ES256", name: str = "root", **options: Any) -> Authority:
    """A self-signed authority."""
    return make_certificate(name, algorithm=algorithm, ca=True, **options)


def make_certificate(
    name: str,
    *,
    issuer: Authority | None = None,
    algorithm: str = "ES256",
    public_key: Any = None,
    ca: bool | None = False,
    path_length: int | None = None,
    usages: Sequence[str] | None = ("default",),
    purposes: Sequence[x509.ObjectIdentifier] = (),
    purposes_critical: bool = False,
    uscc: str | None = None,
    attributes: Sequence[tuple[x509.ObjectIdentifier, str]] = (),
    not_before: int = NOT_BEFORE,
    not_after: int = NOT_AFTER,
    serial: int | None = None,
    key_identifiers: bool = True,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
    hash_algorithm: HashAlgorithm | None = None,
) -> Authority:
    """One certificate, self-signed without ``issuer``; ``ca=None`` leaves basicConstraints out, ``usages=None`` key
    usage; ``public_key`` (cryptography's) certifies a key whose private half is elsewhere."""
    key = make_key(algorithm, name)
    public = key.public_key() if public_key is None else public_key
    subject = [(NameOID.COUNTRY_NAME, "CN"), (NameOID.COMMON_NAME, name), *attributes]
    subject += [(NameOID.ORGANIZATION_IDENTIFIER, uscc)] if uscc else []
    builder = x509.CertificateBuilder().public_key(public).serial_number(serial or next(_serials))
    builder = builder.subject_name(x509.Name([x509.NameAttribute(oid, value) for oid, value in subject]))
    builder = builder.issuer_name(_name_of(issuer) if issuer else builder._subject_name)
    builder = builder.not_valid_before(moment(not_before)).not_valid_after(moment(not_after))
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, path_length), True)
    if usages is not None:
        default = ("key_cert_sign", "crl_sign") if ca else ("digital_signature",)
        builder = builder.add_extension(key_usage(*(default if usages == ("default",) else usages)), True)
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), purposes_critical)
    if key_identifiers:
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
        builder = builder.add_extension(_authority_key(issuer), False) if issuer else builder
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    signer_key, signer_algorithm = (issuer.key, issuer.algorithm) if issuer else (key, algorithm)
    pss = padding.PSS(padding.MGF1(SHA256()), 32) if signer_algorithm == "RSA-PSS" else None
    signed = builder.sign(signer_key, hash_algorithm or _hash(signer_algorithm), rsa_padding=pss)
    return Authority(parse_certificate(signed.public_bytes(Encoding.DER)), key, algorithm)


def make_tsa(root: Authority | None = None, *, algorithm: str = "ES256", **options: Any) -> Authority:
    """A time-stamping unit: the one critical purpose of RFC 3161 §2.3. Without ``root`` under a new ES256 one."""
    stamping = [ExtendedKeyUsageOID.TIME_STAMPING]
    options = {"purposes": stamping, "purposes_critical": True, "algorithm": algorithm} | options
    return (root or make_root(name="TSA root")).issue("TSA", **options)


@dataclass(frozen=True)
class Organisation:
    """An organisation's certificates as a trust list and a verifier have them, and the signer of its statements.

    ``crls`` holds a fresh, empty list of each authority.
    """

    chain: tuple[Certificate, ...]
    roots: tuple[Certificate, ...]
    crls: tuple[RevocationList, ...]
    signer: MemorySigner
    middle: Authority | None = None


def organisation(uscc: str = USCC, algorithm: Algorithm = "ES256", **options: Any) -> Organisation:
    """Leaf ← intermediate ← root, all made with cryptography; ``options`` are those of the leaf."""
    root = make_root("ES384")
    middle = root.issue("middle", ca=True, path_length=0)
    signer = generate_signer(algorithm, lambda size: bytes(range(1, size + 1)))
    public = load_der_public_key(spki_der(signer.public_key))
    leaf = middle.issue("organisation", public_key=public, uscc=uscc, **options)
    chain = (leaf.certificate, middle.certificate)
    return Organisation(chain, (root.certificate,), (root.crl(), middle.crl()), signer, middle)


def _name_of(authority: Authority) -> x509.Name:
    return x509.load_der_x509_certificate(authority.certificate.der).subject


def _authority_key(authority: Authority) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())


def _hash(algorithm: str) -> HashAlgorithm | None:
    return None if algorithm == "Ed25519" else SHA384() if algorithm == "ES384" else SHA256()
