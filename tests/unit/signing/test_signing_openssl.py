"""Signatures and digests, cross-checked with the openssl command in both directions. Key files: ``…_openssl_keys``."""

import shutil
import subprocess
from pathlib import Path

import pytest

from signing import (
    ALGORITHM_NAMES,
    Algorithm,
    MemorySigner,
    VerificationError,
    digest_bytes,
    export_private_key,
    export_public_key,
    generate_signer,
    sm2,
)
from signing.dss import der_to_raw, raw_to_der

_MESSAGE = "电子证照 e-materials\n".encode() * 50
_OPTIONS = {
    "Ed25519": ["-rawin"],
    "ES256": ["-rawin", "-digest", "sha256"],
    "ES384": ["-rawin", "-digest", "sha384"],
    "SM2-SM3": ["-rawin", "-digest", "sm3", "-pkeyopt", "distid:1234567812345678"],
}

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl command is not installed")


def _openssl(*arguments: str | Path, fails: bool = False) -> bytes:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, check=False)
    assert (done.returncode != 0) == fails, done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "message").write_bytes(_MESSAGE)
    return tmp_path


def _signer(folder: Path, name: Algorithm) -> MemorySigner:
    """A new key whose files are in ``folder``."""
    signer = generate_signer(name, lambda size: b"\x17" * size)
    (folder / "private.pem").write_bytes(export_private_key(signer, form="pem"))
    (folder / "public.pem").write_bytes(export_public_key(signer.public_key, form="pem"))
    return signer


def _sign(folder: Path, *options: str) -> bytes:
    return _openssl("pkeyutl", "-sign", *options, "-inkey", folder / "private.pem", "-in", folder / "message")


def _verify(folder: Path, signature: bytes, *options: str, fails: bool = False) -> None:
    (folder / "signature").write_bytes(signature)
    key, signed = ("-pubin", "-inkey", folder / "public.pem"), ("-sigfile", folder / "signature")
    _openssl("pkeyutl", "-verify", *options, *key, *signed, "-in", folder / "message", fails=fails)


def _raw(name: Algorithm, signature: bytes) -> bytes:
    return signature if name == "Ed25519" else der_to_raw(signature, 48 if name == "ES384" else 32)


def _theirs(name: Algorithm, signature: bytes) -> bytes:
    return signature if name == "Ed25519" else raw_to_der(signature)


@pytest.mark.parametrize("name", ALGORITHM_NAMES)
def test_both_ways(folder: Path, name: Algorithm) -> None:
    signer = _signer(folder, name)
    theirs = _raw(name, _sign(folder, *_OPTIONS[name]))
    signer.public_key.verify(theirs, _MESSAGE)
    with pytest.raises(VerificationError):
        signer.public_key.verify(theirs, _MESSAGE + b"!")
    with pytest.raises(VerificationError):
        signer.public_key.verify(theirs[len(theirs) // 2 :] + theirs[: len(theirs) // 2], _MESSAGE)
    ours = signer.sign(_MESSAGE)
    _verify(folder, _theirs(name, ours), *_OPTIONS[name])
    _verify(folder, _theirs(name, ours[:-1] + bytes([ours[-1] ^ 1])), *_OPTIONS[name], fails=True)


def test_sm2_with_dgst_too(folder: Path) -> None:
    signer = _signer(folder, "SM2-SM3")
    with_id = ("-sm3", "-sigopt", "distid:1234567812345678")
    theirs = _openssl("dgst", *with_id, "-sign", folder / "private.pem", folder / "message")
    signer.public_key.verify(der_to_raw(theirs, 32), _MESSAGE)
    (folder / "signature").write_bytes(raw_to_der(signer.sign(_MESSAGE)))
    files = ("-verify", folder / "public.pem", "-signature", folder / "signature", folder / "message")
    _openssl("dgst", *with_id, *files)
    _openssl("dgst", "-sm3", *files, fails=True)


def test_sm2_without_distid_has_an_empty_id_and_is_refused(folder: Path) -> None:
    """What OpenSSL 3 does unless it is told an ID: nobody who follows GB/T 35276 can verify it, and we do not."""
    key = _signer(folder, "SM2-SM3").public_key
    for command in (
        ("dgst", "-sm3", "-sign", folder / "private.pem", folder / "message"),
        ("pkeyutl", "-sign", *_OPTIONS["SM2-SM3"][:3], "-inkey", folder / "private.pem", "-in", folder / "message"),
    ):
        with pytest.raises(VerificationError) as caught:
            key.verify(der_to_raw(_openssl(*command), 32), _MESSAGE)
        assert caught.value.code == "signature.invalid"


def test_sm2_under_another_id(folder: Path) -> None:
    key = _signer(folder, "SM2-SM3").public_key
    theirs = der_to_raw(_sign(folder, *_OPTIONS["SM2-SM3"][:3], "-pkeyopt", "distid:ALICE123@YAHOO.COM"), 32)
    with pytest.raises(VerificationError):
        key.verify(theirs, _MESSAGE)
    assert sm2.verifies(key.raw, theirs, _MESSAGE, signer_id=b"ALICE123@YAHOO.COM")


@pytest.mark.parametrize("name", ["sha256", "sm3"])
def test_digests(folder: Path, name: str) -> None:
    digest = _openssl("dgst", f"-{name}", "-binary", folder / "message")
    assert digest == getattr(digest_bytes(_MESSAGE), name)
