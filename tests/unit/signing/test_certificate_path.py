"""Path validation: chains of every algorithm hold; each rule of RFC 5280 §6 broken once is refused with its code."""

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA224, SHA384, SHA512
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from signing import LedgerError, MalformedError, VerificationError
from signing.x509.certificates import Certificate, parse_certificate
from signing.x509.path import CertificateStanding, VerifiedPath, verify_chain, verify_path
from tests.support.pki import (
    DAY,
    NOT_BEFORE,
    OTHER_USCC,
    USCC,
    Authority,
    make_certificate,
    make_root,
    make_tsa,
    organisation,
)

AT = NOT_BEFORE + 100 * DAY
ALGORITHMS = ("Ed25519", "ES256", "ES384", "RSA", "RSA-PSS")
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\x00")


def verify(
    chain: Sequence[Authority | Certificate], *roots: Authority, at: int = AT, usage: Any = "signature"
) -> VerifiedPath:
    certificates = [each.certificate if isinstance(each, Authority) else each for each in chain]
    return verify_path(
        certificates,
        usage=usage,
        roots=[root.certificate for root in roots],
        crls=(),
        crl_required=False,
        at=at,
        now=at,
    )


def refused(chain: Sequence[Authority | Certificate], *roots: Authority, **options: Any) -> str:
    with pytest.raises((VerificationError, MalformedError)) as caught:
        verify(chain, *roots, **options)
    return caught.value.code


@pytest.mark.parametrize(("root_key", "middle_key"), list(product(ALGORITHMS, ALGORITHMS)))
def test_chains_of_each_algorithm_and_mixed(root_key: str, middle_key: str) -> None:
    root = make_root(root_key)
    middle = root.issue("middle", ca=True, algorithm=middle_key, path_length=0)
    leaf = middle.issue("leaf", uscc=USCC, algorithm="ES256")
    path = verify([leaf, middle], root)
    assert path.certificates == (leaf.certificate, middle.certificate, root.certificate)
    assert path.root == root.certificate
    assert verify([leaf, middle, root], root) == path


@pytest.mark.parametrize("hash_algorithm", [SHA384(), SHA512()])
def test_rsa_and_p256_with_longer_digests(hash_algorithm: Any) -> None:
    root = make_root("RSA")
    assert verify([root.issue("leaf", hash_algorithm=hash_algorithm)], root)
    curve = make_root("ES256")
    leaf = curve.issue("leaf", hash_algorithm=hash_algorithm)
    if isinstance(hash_algorithm, SHA384):
        assert verify([leaf], curve)
    else:
        assert refused([leaf], curve) == "certificate.algorithm"


@pytest.mark.parametrize("algorithm", ["Ed25519", "ES256", "ES384"])
def test_an_organisation_s_chain_gives_key_and_uscc(algorithm: Any) -> None:
    world = organisation(OTHER_USCC, algorithm)
    chain = verify_chain(world.chain, roots=world.roots, crls=world.crls, crl_required=True, at=AT, now=AT)
    assert (chain.uscc, chain.public_key) == (OTHER_USCC, world.signer.public_key)
    assert chain.standing == CertificateStanding.CURRENT
    chain.public_key.verify(world.signer.sign(b"statement"), b"statement")
    assert OTHER_USCC not in repr(chain)


def test_an_organisation_needs_one_uscc_and_a_key_that_signs_here() -> None:
    root = make_root()
    nameless = root.issue("leaf")
    two = root.issue("leaf", uscc=USCC, attributes=[(NameOID.ORGANIZATIONAL_UNIT_NAME, OTHER_USCC)])
    rsa = root.issue("rsa leaf", uscc=USCC, algorithm="RSA")
    for leaf, code in ((nameless, "certificate.subject"), (two, "certificate.subject"), (rsa, "certificate.key")):
        with pytest.raises(VerificationError) as caught:
            verify_chain([leaf.certificate], roots=[root.certificate], crls=(), crl_required=False, at=AT, now=AT)
        assert caught.value.code == code


def chain_with(**options: Any) -> tuple[list[Authority], Authority]:
    """A good chain but for what the option says of ``root``, ``middle`` or ``leaf``."""
    of = {
        part: {k.split("_", 1)[1]: v for k, v in options.items() if k.startswith(part)} for part in ("root", "middle")
    }
    leaf = {key: value for key, value in options.items() if not key.startswith(("root", "middle"))}
    root = make_root(**{"algorithm": "ES256"} | of["root"])
    middle = root.issue("middle", **{"ca": True} | of["middle"])
    return [middle.issue("leaf", **leaf), middle], root


BROKEN: list[tuple[str, dict[str, Any]]] = [
    ("certificate.constraint", {"middle_ca": False}),
    ("certificate.constraint", {"middle_ca": None, "middle_usages": None}),
    ("certificate.constraint", {"root_path_length": 0}),
    ("certificate.usage", {"middle_usages": ["crl_sign"]}),
    ("certificate.usage", {"root_usages": ["crl_sign", "digital_signature"]}),
    ("certificate.usage", {"usages": ["key_encipherment"]}),
    ("certificate.usage", {"usages": ["key_agreement", "encipher_only"]}),
    ("certificate.usage", {"ca": True, "usages": ["digital_signature", "key_cert_sign"]}),
    ("certificate.usage", {"purposes": [ExtendedKeyUsageOID.TIME_STAMPING]}),
    ("certificate.usage", {"purposes": [ExtendedKeyUsageOID.SERVER_AUTH], "purposes_critical": True}),
    ("certificate.usage", {"middle_purposes": [ExtendedKeyUsageOID.TIME_STAMPING]}),
    ("certificate.extension", {"extensions": [(UNKNOWN, True)]}),
    ("certificate.extension", {"middle_extensions": [(UNKNOWN, True)]}),
    ("certificate.extension", {"root_extensions": [(UNKNOWN, True)]}),
    ("certificate.extension", {"extensions": [(x509.SubjectAlternativeName([x509.DNSName("a.example")]), True)]}),
    (
        "certificate.extension",
        {"middle_extensions": [(x509.NameConstraints([x509.DNSName("example")], None), True)]},
    ),
    (
        "certificate.extension",
        {"middle_extensions": [(x509.NameConstraints([x509.DNSName("example")], None), False)]},
    ),
    ("certificate.extension", {"middle_extensions": [(x509.PolicyConstraints(0, None), True)]}),
    ("certificate.extension", {"middle_extensions": [(x509.InhibitAnyPolicy(0), True)]}),
    ("certificate.window", {"not_after": AT - 1}),
    ("certificate.window", {"not_before": AT + 1}),
    ("certificate.window", {"middle_not_after": AT - 1}),
    ("certificate.window", {"middle_not_before": AT + 1}),
    ("certificate.window", {"root_not_after": AT - 1}),
    ("certificate.window", {"root_not_before": AT + 1}),
    ("certificate.algorithm", {"hash_algorithm": SHA224()}),
    ("certificate.algorithm", {"root_algorithm": "RSA-1024"}),
    ("certificate.algorithm", {"root_algorithm": "P-521"}),
]


@pytest.mark.parametrize(("code", "options"), BROKEN)
def test_one_broken_rule(code: str, options: dict[str, Any]) -> None:
    chain, root = chain_with(**options)
    assert refused(chain, root) == code


KEPT: list[dict[str, Any]] = [
    {"usages": None},
    {"usages": ["content_commitment"]},
    {"usages": ["digital_signature", "key_encipherment"]},
    {"ca": None},
    {"ca": None, "usages": None, "key_identifiers": False},
    {"middle_usages": None},
    {"middle_path_length": 0, "root_path_length": 1},
    {"purposes": [ExtendedKeyUsageOID.EMAIL_PROTECTION, ExtendedKeyUsageOID.SERVER_AUTH]},
    {"purposes": [ExtendedKeyUsageOID.CLIENT_AUTH], "purposes_critical": True},
    {"purposes": [x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")]},
    {"middle_purposes": [ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]},
    {"extensions": [(UNKNOWN, False)]},
    {"extensions": [(x509.SubjectAlternativeName([x509.DNSName("a.example")]), False)]},
    {"extensions": [(x509.CertificatePolicies([x509.PolicyInformation(UNKNOWN.oid, None)]), True)]},
    {"not_before": AT, "not_after": AT},
    {"root_key_identifiers": False},
]


@pytest.mark.parametrize("options", KEPT)
def test_what_is_allowed(options: dict[str, Any]) -> None:
    chain, root = chain_with(**options)
    assert verify(chain, root).root == root.certificate


def test_sha1_and_md5_are_refused_by_name() -> None:
    """No library here signs with them any more, so the name alone is changed: it is refused before the signature is."""
    root = make_root("RSA")
    der = root.issue("leaf").certificate.der
    for weak in ("05", "04"):
        changed = der.replace(bytes.fromhex("2a864886f70d01010b"), bytes.fromhex(f"2a864886f70d0101{weak}"))
        assert refused([parse_certificate(changed)], root) == "certificate.algorithm"


def test_the_chain_must_lead_to_a_given_root() -> None:
    chain, root = chain_with()
    leaf, middle = chain
    assert refused(chain) == "certificate.issuer"
    assert refused(chain, make_root("ES256", "another root")) == "certificate.issuer"
    assert refused([middle, leaf], root) == "certificate.issuer"
    assert refused([leaf, root], root) == "certificate.issuer"
    assert refused([leaf], root) == "certificate.issuer"
    assert refused([leaf, middle, middle], root) == "certificate.issuer"
    assert refused([leaf, middle, root, middle], root) == "certificate.issuer"
    assert refused([leaf, middle, root, root], root) == "certificate.issuer"
    assert refused([root], root) == "certificate.issuer"
    assert refused([], root) == "certificate.chain"


def test_the_same_name_with_another_key_is_another_authority() -> None:
    chain, root = chain_with()
    impostor = make_certificate("root", algorithm="ES384", ca=True)
    without_identifier = make_certificate("root", algorithm="ES384", ca=True, key_identifiers=False)
    assert refused(chain, impostor) == "certificate.issuer"  # its key identifier is another
    assert refused(chain, without_identifier) == "certificate.signature"
    assert refused([*chain, impostor], root) == "certificate.issuer"
    assert verify(chain, impostor, without_identifier, root).root == root.certificate


def test_the_same_key_with_another_name_is_another_authority() -> None:
    root, alias = make_root(key_identifiers=False), make_root(name="alias")
    leaf = Authority(alias.certificate, root.key).issue("leaf", key_identifiers=False)
    assert refused([leaf], root) == "certificate.issuer"


def test_a_signature_by_another_key_of_the_same_kind() -> None:
    root = make_root("ES256", "root", key_identifiers=False)
    other = make_certificate("other", algorithm="ES256", ca=True)
    forged = Authority(root.certificate, other.key, "ES256").issue("leaf", key_identifiers=False)
    assert refused([forged], root) == "certificate.signature"


def test_of_two_roots_with_one_key_that_which_was_valid_counts() -> None:
    old = make_root(not_after=AT - 1)
    new = make_root(not_before=AT - 10)
    leaf = old.issue("leaf")
    for roots in ((old, new), (new, old)):
        assert verify([leaf], *roots, at=AT).root == new.certificate
        assert verify([leaf], *roots, at=AT - 20).root == old.certificate
    # The new certificate of the same key, sent along, is an authority below the old one.
    assert verify([leaf, new], old, at=AT - 5).root == old.certificate


def test_path_length_counts_authorities_that_others_issued() -> None:
    root = make_root(path_length=1)
    upper = root.issue("upper", ca=True)
    rolled = upper.issue("upper", ca=True, serial=7)
    lower = rolled.issue("lower", ca=True)
    assert verify([upper.issue("leaf"), upper], root)
    assert verify([rolled.issue("leaf"), rolled, upper], root)
    assert refused([lower.issue("leaf"), lower, rolled, upper], root) == "certificate.constraint"


def test_eight_certificates_and_no_more() -> None:
    root = make_root()
    chain = [root]
    for depth in range(8):
        chain.insert(0, chain[0].issue(f"authority {depth}", ca=True))
    seven = [chain[1].issue("leaf"), *chain[1:-1]]
    assert len(seven) == 8
    assert verify(seven, root)
    assert refused([chain[0].issue("leaf"), *chain[:-1]], root) == "certificate.chain"


def test_expired_since_is_said() -> None:
    world = organisation(not_after=AT)
    chain = verify_chain(world.chain, roots=world.roots, crls=(), crl_required=False, at=AT, now=AT + 1)
    assert chain.standing == CertificateStanding.RETIRED


def test_time_stamping_is_the_one_critical_purpose() -> None:
    root = make_root()
    assert verify([make_tsa(root)], root, usage="timestamp")
    for options in (
        {"purposes_critical": False},
        {"purposes": []},
        {"purposes": [ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.SERVER_AUTH]},
        {"purposes": [ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]},
        {"usages": ["key_encipherment"]},
    ):
        assert refused([make_tsa(root, **options)], root, usage="timestamp") == "certificate.usage"
    assert refused([make_tsa(root)], root) == "certificate.usage"


@pytest.mark.parametrize(
    "change", [lambda der: der[:-1] + bytes([der[-1] ^ 1]), lambda der: der.replace(b"root", b"rooT")]
)
def test_errors_name_no_subject(change: Callable[[bytes], bytes]) -> None:
    root = make_root()
    leaf = root.issue("张三", uscc=USCC)
    with pytest.raises(LedgerError) as caught:
        verify([parse_certificate(change(leaf.certificate.der))], root)
    assert "张三" not in str(caught.value)
    assert "张三" not in repr(leaf.certificate)
    assert USCC not in repr(leaf.certificate)
