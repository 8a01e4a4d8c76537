"""Keys in a PKCS#11 token: generated, found, listed, used; checked by OpenSSL; never taken out."""

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pkcs11 import Attribute, KeyType, MechanismFlag, ObjectClass
from pkcs11.exceptions import AttributeSensitive
from pkcs11.util.ec import encode_named_curve_parameters

from signing import LedgerError, MalformedError, PublicKey, RefusedError, UnavailableError, VerificationError
from signing.dss import raw_to_der
from signing.hsm import HsmKey, HsmToken, open_token
from tests.support.softhsm import PIN, SoftToken, soft_token

__all__ = ["soft_token"]

_MESSAGE = "电子证照 e-materials\n".encode() * 50
_CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "secp256k1": ec.SECP256K1()}


@pytest.fixture
def token(soft_token: SoftToken) -> HsmToken:
    return soft_token.open()


def _code(error: pytest.ExceptionInfo[LedgerError]) -> str:
    return error.value.code


def _write_public(folder: Path, kind: str, raw: bytes) -> None:
    key: ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey
    if kind == "Ed25519":
        key = ed25519.Ed25519PublicKey.from_public_bytes(raw)
    else:
        key = ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[kind], b"\4" + raw)
    (folder / "public.pem").write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def _openssl_verifies(folder: Path, *options: str) -> bool:
    names = ("-pubin", "-inkey", "public.pem", "-sigfile", "signature", "-in", "message")
    command = ["openssl", "pkeyutl", "-verify", *options, *names]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    return done.returncode == 0 and b"Signature Verified Successfully" in done.stdout


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl command is not installed")
@pytest.mark.parametrize(("kind", "digest"), [("Ed25519", None), ("ES256", "sha256"), ("ES384", "sha384")])
def test_openssl_verifies_signatures(token: HsmToken, tmp_path: Path, kind: str, digest: str | None) -> None:
    token.generate("key", kind)
    signer = token.signer("key")
    signature = signer.sign(_MESSAGE)
    _write_public(tmp_path, kind, signer.public_key.raw)
    (tmp_path / "message").write_bytes(_MESSAGE)
    (tmp_path / "signature").write_bytes(signature if digest is None else raw_to_der(signature))
    options = ("-rawin",) if digest is None else ("-rawin", "-digest", digest)
    assert _openssl_verifies(tmp_path, *options)
    (tmp_path / "message").write_bytes(_MESSAGE + b"?")
    assert not _openssl_verifies(tmp_path, *options)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl command is not installed")
def test_openssl_verifies_an_accounts_signature(token: HsmToken, tmp_path: Path) -> None:
    token.generate("anchor", "secp256k1")
    account = token.account("anchor")
    _write_public(tmp_path, "secp256k1", account.public_point)
    (tmp_path / "message").write_bytes(b"\x5a" * 32)
    (tmp_path / "signature").write_bytes(raw_to_der(account.sign_digest(b"\x5a" * 32)))
    assert _openssl_verifies(tmp_path)
    for digest in (b"", b"\x5a" * 31, b"\x5a" * 33):
        with pytest.raises(MalformedError):
            account.sign_digest(digest)


def test_keys_are_listed_by_label(token: HsmToken, soft_token: SoftToken) -> None:
    assert token.list_keys() == ()
    kinds = {"b 日志": "Ed25519", "a": "secp256k1", "d": "ES384", "c": "ES256"}
    for label, kind in kinds.items():
        token.generate(label, kind)
    with soft_token.raw().open(rw=True) as session:  # of no use to us: left out
        session.generate_keypair(KeyType.RSA, 1024, label="rsa", store=True)
    assert [(key.label, key.kind) for key in token.list_keys()] == sorted(kinds.items())
    assert HsmKey("c", "ES256") in token.list_keys()


def test_a_key_is_the_same_in_another_process(token: HsmToken, soft_token: SoftToken) -> None:
    token.generate("key", "ES256")
    for number, line in enumerate(soft_token.elsewhere("sign", "key", "3")):
        token.signer("key").public_key.verify(bytes.fromhex(line), b"message %d" % number)


@pytest.mark.parametrize("kind", ["Ed25519", "ES256", "ES384", "secp256k1"])
def test_a_private_key_never_leaves_the_token(token: HsmToken, soft_token: SoftToken, kind: str) -> None:
    token.generate("key", kind)
    with soft_token.raw().open() as session:  # logged in, as the whole process is
        (private,) = session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY})
        with pytest.raises(AttributeSensitive):
            private[Attribute.VALUE]
        wanted = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False, Attribute.TOKEN: True}
        always = {Attribute.PRIVATE: True, Attribute.ALWAYS_SENSITIVE: True, Attribute.NEVER_EXTRACTABLE: True}
        assert {name: private[name] for name in wanted | always} == wanted | always
        assert len(private[Attribute.ID]) == 16


def test_what_a_token_does_not_hold(token: HsmToken) -> None:
    token.generate("signing", "ES256")
    token.generate("anchor", "secp256k1")
    with pytest.raises(UnavailableError) as missing:
        token.signer("other")
    assert _code(missing) == "hsm.key-missing"
    for wrong in (lambda: token.signer("anchor"), lambda: token.account("signing")):
        with pytest.raises(RefusedError) as kind:
            wrong()
        assert _code(kind) == "hsm.key-kind"
    with pytest.raises(MalformedError) as taken:
        token.generate("signing", "Ed25519")
    assert _code(taken) == "hsm.exists"
    assert len(token.list_keys()) == 2


@pytest.mark.parametrize("kind", ["SM2-SM3", "RSA", ""])
def test_sm2_has_no_place_in_a_token(token: HsmToken, kind: str) -> None:
    with pytest.raises(UnavailableError, match="SM2") as caught:
        token.generate("key", kind)
    assert _code(caught) == "hsm.algorithm"


@pytest.mark.parametrize("label", ["", "x" * 65, "a\nb", "a\0", "\ud800"])
def test_a_label_is_printable(token: HsmToken, label: str) -> None:
    for use in (token.signer, token.account, lambda name: token.generate(name, "ES256")):
        with pytest.raises(MalformedError) as caught:
            use(label)
        assert _code(caught) == "hsm.label"


def _store_public(soft_token: SoftToken, label: str, curve: ec.EllipticCurve, oid: str) -> None:
    """A public key that no private one belongs to."""
    point = ec.derive_private_key(7, curve).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    with soft_token.raw().open(rw=True) as session:
        session.create_object(
            {
                Attribute.CLASS: ObjectClass.PUBLIC_KEY,
                Attribute.KEY_TYPE: KeyType.EC,
                Attribute.TOKEN: True,
                Attribute.LABEL: label,
                Attribute.EC_PARAMS: encode_named_curve_parameters(oid),
                Attribute.EC_POINT: bytes((4, len(point))) + point,
            }
        )


def _destroy(soft_token: SoftToken, kind: ObjectClass, label: str) -> None:
    with soft_token.raw().open(rw=True) as session:
        for found in list(session.get_objects({Attribute.CLASS: kind, Attribute.LABEL: label})):
            found.destroy()


def test_halves_that_do_not_belong_together(token: HsmToken, soft_token: SoftToken) -> None:
    token.generate("key", "ES256")
    _destroy(soft_token, ObjectClass.PUBLIC_KEY, "key")
    with pytest.raises(UnavailableError) as half:
        token.signer("key")
    assert _code(half) == "hsm.key-missing"
    _store_public(soft_token, "key", ec.SECP256R1(), "secp256r1")
    with pytest.raises(VerificationError) as foreign:
        token.signer("key")
    assert _code(foreign) == "hsm.key-pair"
    _store_public(soft_token, "key", ec.SECP256R1(), "secp256r1")
    with pytest.raises(VerificationError) as several:
        token.signer("key")
    assert _code(several) == "hsm.key-ambiguous"


def test_halves_of_different_curves(token: HsmToken, soft_token: SoftToken) -> None:
    token.generate("key", "ES256")
    _destroy(soft_token, ObjectClass.PUBLIC_KEY, "key")
    _store_public(soft_token, "key", ec.SECP256K1(), "secp256k1")
    with pytest.raises(RefusedError) as caught:
        token.signer("key")
    assert _code(caught) == "hsm.key-kind"


def test_an_ed25519_key_with_a_curve_name(token: HsmToken, soft_token: SoftToken) -> None:
    """PKCS#11 v3.0 allows a name in place of the OID."""
    with soft_token.raw().open(rw=True) as session:
        name = {Attribute.EC_PARAMS: b"\x13\x0cedwards25519"}
        domain = session.create_domain_parameters(KeyType.EC_EDWARDS, name, local=True)
        domain.generate_keypair(label="named", store=True, capabilities=MechanismFlag.SIGN | MechanismFlag.VERIFY)
    signer = token.signer("named")
    assert isinstance(signer.public_key, PublicKey)
    signer.public_key.verify(signer.sign(_MESSAGE), _MESSAGE)


def test_what_there_is_no_token_for(soft_token: SoftToken, tmp_path: Path) -> None:
    text = tmp_path / "module.so"
    text.write_text("no library")
    for module, label, code in (
        (tmp_path / "none.so", "label", "hsm.module"),
        (text, "label", "hsm.module"),
        (soft_token.module, "no such token", "hsm.token"),
    ):
        with pytest.raises(UnavailableError) as caught:
            open_token(module, label, soft_token.pin)
        assert _code(caught) == code
        assert PIN not in str(caught.value)
        assert str(module.name if code == "hsm.module" else label) in str(caught.value)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, soft_token: SoftToken) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pkcs11", None)
    with pytest.raises(UnavailableError, match=r"pip install 'ematerials\[hsm\]'") as caught:
        soft_token.open()
    assert _code(caught) == "extra.hsm"
