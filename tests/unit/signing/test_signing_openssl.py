"""Signatures and digests, cross-checked with the openssl command in both directions."""

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from signing import Ed25519Signer, Es256Signer, VerificationError, digest_bytes

_MESSAGE = "电子证照 e-materials\n".encode() * 50

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl command is not installed")


def _openssl(*arguments: str | Path) -> bytes:
    return subprocess.run(["openssl", *map(str, arguments)], capture_output=True, check=True).stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "message").write_bytes(_MESSAGE)
    return tmp_path


def _write_keys(folder: Path, key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> None:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "private.pem").write_bytes(private)
    (folder / "public.pem").write_bytes(public)


def test_ed25519_both_ways(folder: Path) -> None:
    signer = Ed25519Signer(b"\x17" * 32)
    _write_keys(folder, Ed25519PrivateKey.from_private_bytes(signer.secret_bytes()))
    theirs = _openssl("pkeyutl", "-sign", "-rawin", "-inkey", folder / "private.pem", "-in", folder / "message")
    assert theirs == signer.sign(_MESSAGE)
    signer.public_key.verify(theirs, _MESSAGE)
    (folder / "signature").write_bytes(signer.sign(_MESSAGE))
    verify = (
        "pkeyutl",
        "-verify",
        "-rawin",
        "-pubin",
        "-inkey",
        folder / "public.pem",
        "-sigfile",
        folder / "signature",
    )
    assert b"Verified Successfully" in _openssl(*verify, "-in", folder / "message")


def test_es256_both_ways(folder: Path) -> None:
    signer = Es256Signer(b"\x17" * 32)
    _write_keys(folder, ec.derive_private_key(int.from_bytes(signer.secret_bytes()), ec.SECP256R1()))
    r, s = decode_dss_signature(_openssl("dgst", "-sha256", "-sign", folder / "private.pem", folder / "message"))
    signer.public_key.verify(r.to_bytes(32) + s.to_bytes(32), _MESSAGE)
    with pytest.raises(VerificationError):
        signer.public_key.verify(s.to_bytes(32) + r.to_bytes(32), _MESSAGE)
    ours = signer.sign(_MESSAGE)
    der = encode_dss_signature(int.from_bytes(ours[:32]), int.from_bytes(ours[32:]))
    (folder / "signature").write_bytes(der)
    verify = ("dgst", "-sha256", "-verify", folder / "public.pem", "-signature", folder / "signature")
    assert b"Verified OK" in _openssl(*verify, folder / "message")


@pytest.mark.parametrize("name", ["sha256", "sm3"])
def test_digests(folder: Path, name: str) -> None:
    digest = _openssl("dgst", f"-{name}", "-binary", folder / "message")
    assert digest == getattr(digest_bytes(_MESSAGE), name)
