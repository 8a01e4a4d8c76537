"""Key files of the openssl command: what it writes is read, what we write it reads, and the advice in errors works."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from signing import (
    ALGORITHM_NAMES,
    Algorithm,
    LedgerError,
    MemorySigner,
    Secret,
    export_encrypted_key,
    export_private_key,
    export_public_key,
    generate_signer,
    parse_private_key,
    parse_public_key,
)

_PASSPHRASE = Secret(b"a pass phrase")
_IN, _OUT = ("-passin", "file:passphrase"), ("-passout", "file:passphrase")
_GENERATE = {
    "Ed25519": ("genpkey", "-algorithm", "ed25519"),
    "ES256": ("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
    "ES384": ("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"),
    "SM2-SM3": ("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:SM2"),
}
_CURVES = {"ES256": "prime256v1", "ES384": "secp384r1", "SM2-SM3": "SM2"}

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl command is not installed")


class _OpenSsl:
    """The command in a folder of its own; the passphrase is in a file there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "passphrase").write_bytes((_PASSPHRASE + b"\n") * 2)  # in and out: a line each

    def __call__(self, *arguments: str) -> bytes:
        command = ["openssl", *arguments]
        return subprocess.run(command, capture_output=True, check=True, cwd=self.folder).stdout

    def write(self, name: str, data: bytes) -> str:
        (self.folder / name).write_bytes(data)
        return name

    def parse(self, name: str) -> MemorySigner:
        return parse_private_key(Secret((self.folder / name).read_bytes()), _PASSPHRASE)

    def refusal(self, name: str) -> str:
        with pytest.raises(LedgerError) as caught:
            self.parse(name)
        return f"{caught.value.code} {caught.value}"

    def public(self, name: str) -> bytes:
        return self("pkey", "-in", name, *_IN, "-pubout", "-outform", "DER")


@pytest.fixture
def openssl(tmp_path: Path) -> _OpenSsl:
    return _OpenSsl(tmp_path)


@pytest.mark.parametrize("name", ALGORITHM_NAMES)
def test_keys_that_it_makes(openssl: _OpenSsl, name: Algorithm) -> None:
    openssl(*_GENERATE[name], "-out", "k.pem")
    openssl("pkcs8", "-topk8", "-nocrypt", "-in", "k.pem", "-out", "k8.pem")
    openssl("pkcs8", "-topk8", "-nocrypt", "-in", "k.pem", "-outform", "DER", "-out", "k8.der")
    openssl("pkcs8", "-topk8", "-in", "k.pem", *_OUT, "-out", "e.pem")
    openssl("pkcs8", "-topk8", "-in", "k.pem", *_OUT, "-outform", "DER", "-out", "e.der")
    openssl("pkcs8", "-topk8", "-in", "k.pem", *_OUT, "-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA512", "-out", "a.pem")
    openssl("pkcs8", "-topk8", "-in", "k.pem", *_OUT, "-v2", "sm4-cbc", "-iter", "9000", "-out", "s.pem")
    public = parse_public_key(openssl.public("k.pem"))
    assert public.algorithm == name
    assert parse_public_key(openssl("pkey", "-in", "k.pem", "-pubout")) == public
    for file in ("k.pem", "k8.pem", "k8.der", "e.pem", "e.der", "a.pem", "s.pem"):
        signer = openssl.parse(file)
        assert signer.public_key == public
        public.verify(signer.sign(b"m"), b"m")


@pytest.mark.parametrize("name", _CURVES)
def test_keys_of_ecparam(openssl: _OpenSsl, name: Algorithm) -> None:
    for options in ((), ("-noout",)):
        openssl("ecparam", "-name", _CURVES[name], "-genkey", *options, "-out", "k.pem")
        openssl("ec", "-in", "k.pem", "-out", "sec1.pem")
        assert b" PRIVATE KEY" in (openssl.folder / "sec1.pem").read_bytes()
        for file in ("k.pem", "sec1.pem"):
            assert openssl.parse(file).public_key == parse_public_key(openssl.public(file))


@pytest.mark.parametrize("name", ALGORITHM_NAMES)
def test_it_reads_ours(openssl: _OpenSsl, name: Algorithm) -> None:
    signer = generate_signer(name, os.urandom)
    spki = export_public_key(signer.public_key, form="der")
    openssl.write("k.pem", export_private_key(signer, form="pem"))
    openssl.write("e.pem", export_encrypted_key(signer, _PASSPHRASE, random_bytes=os.urandom, iterations=2048))
    for file in ("k.pem", "e.pem"):
        assert openssl.public(file) == spki
        assert b"Key is valid" in openssl("pkey", "-in", file, *_IN, "-check", "-noout")
    openssl.write(
        "e.der", export_encrypted_key(signer, _PASSPHRASE, form="der", random_bytes=os.urandom, iterations=2048)
    )
    plain = openssl("pkcs8", "-inform", "DER", "-in", "e.der", *_IN, "-outform", "DER")
    assert parse_private_key(Secret(plain)).secret_bytes() == signer.secret_bytes()
    openssl.write("p.pem", export_public_key(signer.public_key, form="pem"))
    assert openssl("pkey", "-pubin", "-in", "p.pem", "-outform", "DER") == spki


def test_sm2_without_its_public_half(openssl: _OpenSsl) -> None:
    openssl(*_GENERATE["SM2-SM3"], "-out", "k.pem")
    openssl("ec", "-in", "k.pem", "-no_public", "-out", "OLD")
    openssl("pkcs8", "-topk8", "-nocrypt", "-in", "OLD", "-out", "OLD8")
    for file in ("OLD", "OLD8"):
        assert openssl.refusal(file).startswith("key.no-public-half")
        assert "openssl ec -in OLD -out NEW" in openssl.refusal(file)
        openssl("ec", "-in", file, "-out", "NEW")
        assert openssl.parse("NEW").public_key == openssl.parse("k.pem").public_key


@pytest.mark.parametrize("name", _CURVES)
def test_explicit_parameters_and_compressed_points(openssl: _OpenSsl, name: Algorithm) -> None:
    openssl("ecparam", "-name", _CURVES[name], "-genkey", "-noout", "-out", "k.pem")
    openssl("ec", "-in", "k.pem", "-param_enc", "explicit", "-out", "x.pem")
    openssl("pkcs8", "-topk8", "-nocrypt", "-in", "x.pem", "-out", "x8.pem")
    assert "explicit curve parameters" in openssl.refusal("x8.pem")
    assert openssl.refusal("x.pem").startswith("key.form")
    for options, said in (
        (("-param_enc", "explicit"), "explicit curve parameters"),
        (("-conv_form", "compressed"), "a compressed point"),
    ):
        spki = openssl("ec", "-in", "k.pem", "-pubout", *options)
        with pytest.raises(LedgerError, match=said) as caught:
            parse_public_key(spki)
        assert caught.value.code == "key.kind"
    openssl.write("c.pem", openssl("ec", "-in", "k.pem", "-pubout", "-conv_form", "compressed"))
    assert parse_public_key(openssl("ec", "-pubin", "-in", "c.pem", "-pubout", "-conv_form", "uncompressed"))


def test_encryption_that_is_not_read_and_the_advice(openssl: _OpenSsl) -> None:
    openssl(*_GENERATE["ES256"], "-out", "k.pem")
    public = openssl.parse("k.pem").public_key
    openssl("pkcs8", "-topk8", "-in", "k.pem", *_OUT, "-scrypt", "-out", "scrypt")
    openssl("pkcs8", "-topk8", "-in", "k.pem", *_OUT, "-v1", "PBE-SHA1-3DES", "-out", "pbes1")
    openssl("pkcs8", "-topk8", "-in", "k.pem", *_OUT, "-v2prf", "hmacWithSHA1", "-out", "sha1")
    for file in ("scrypt", "pbes1", "sha1"):
        assert openssl.refusal(file).startswith("key.encryption")
        assert "openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD -out NEW" in openssl.refusal(file)
        openssl("pkcs8", "-topk8", "-v2", "aes-256-cbc", "-in", file, *_IN, *_OUT, "-out", "NEW")
        assert openssl.parse("NEW").public_key == public
    openssl("ec", "-in", "k.pem", "-aes256", *_OUT, "-out", "headers")
    assert openssl.refusal("headers").startswith("key.encryption")
    openssl("pkcs8", "-topk8", "-in", "headers", *_IN, *_OUT, "-out", "NEW")
    assert openssl.parse("NEW").public_key == public


@pytest.mark.parametrize("command", [("genrsa", "2048"), ("genpkey", "-algorithm", "ed448")])
def test_keys_of_other_kinds(openssl: _OpenSsl, command: tuple[str, ...]) -> None:
    openssl.write("k.pem", openssl(*command))
    assert openssl.refusal("k.pem").startswith("key.kind")
    assert "accepted are Ed25519, P-256, P-384 and SM2" in openssl.refusal("k.pem")
