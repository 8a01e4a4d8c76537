"""PKCS#8 under a passphrase: ours, GmSSL's, hostile costs, wrong passphrases and changed bytes."""

import os
import time

import pytest
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_der_private_key,
)
from cryptography.x509 import ObjectIdentifier

from signing import (
    ALGORITHM_NAMES,
    Algorithm,
    LedgerError,
    MalformedError,
    Secret,
    VerificationError,
    export_encrypted_key,
    export_private_key,
    generate_signer,
    parse_private_key,
)
from signing.forms.pbes2 import ITERATIONS, ITERATIONS_MAX

_PASSPHRASE = Secret("长的口令".encode())
_SIGNERS = {name: generate_signer(name, lambda size: b"\x17" * size) for name in ALGORITHM_NAMES}


def _encrypt(name: Algorithm, iterations: int = 1000, form: str = "der") -> Secret:
    data = export_encrypted_key(
        _SIGNERS[name], _PASSPHRASE, form=form, random_bytes=lambda size: bytes(range(size)), iterations=iterations
    )
    return Secret(data)


_FILE = bytes(_encrypt("ES256"))
_CIPHERTEXT_AT = _FILE.index(b"\x04\x81\x90") + 3


def _refused(data: bytes, code: str, passphrase: Secret | None = _PASSPHRASE) -> LedgerError:
    with pytest.raises(LedgerError) as caught:
        parse_private_key(Secret(data), passphrase)
    assert caught.value.code == code
    return caught.value


@pytest.mark.parametrize("form", ["pem", "der"])
@pytest.mark.parametrize("name", ALGORITHM_NAMES)
def test_round_trip(name: Algorithm, form: str) -> None:
    signer = parse_private_key(_encrypt(name, form=form), _PASSPHRASE)
    assert signer.public_key == _SIGNERS[name].public_key
    assert signer.secret_bytes() == _SIGNERS[name].secret_bytes()


def test_default_cost_and_fresh_randomness() -> None:
    one, other = (export_encrypted_key(_SIGNERS["ES256"], _PASSPHRASE, random_bytes=os.urandom) for _ in range(2))
    assert one != other
    assert parse_private_key(Secret(one), _PASSPHRASE).public_key == _SIGNERS["ES256"].public_key
    assert ITERATIONS == 600_000
    assert ITERATIONS.to_bytes(3) in _encrypt("ES256", ITERATIONS)


@pytest.mark.parametrize("name", ["Ed25519", "ES256", "ES384"])
def test_cryptography_reads_ours_and_we_read_its(name: Algorithm) -> None:
    theirs = load_der_private_key(_encrypt(name), bytes(_PASSPHRASE))
    encryption = BestAvailableEncryption(bytes(_PASSPHRASE))
    data = theirs.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    assert parse_private_key(Secret(data), _PASSPHRASE).public_key == _SIGNERS[name].public_key


# From the READMEs of GmSSL-Java and GmSSL-Python (Apache-2.0): PBKDF2 with HMAC-SM3 and SM4-CBC, and their passphrases.
_GMSSL = {
    "Password": """\
MIIBBjBhBgkqhkiG9w0BBQ0wVDA0BgkqhkiG9w0BBQwwJwQQxShg35gP7+BVnsLo
NzYroAIDAQAAAgEQMAsGCSqBHM9VAYMRAjAcBggqgRzPVQFoAgQQrZf0pC2mC52m
cEaC9goJUQSBoGENSQLgigHQUFF7qAOnJQP6erD1vTBQYWWD1aiXGFpLvhPunZ3m
oWOagyqiGmsoV9aSTWMp20ZLiDR+s7pRv8NM0+vspmDUvmb+LUh0zjrrtJqkzr+Q
kdfrXD9Utsqx+PqrzBw/PRMDIRKrJeUtqtkerCnsSUN3CpnpAMSTnQUrTt1mQXyU
dDj7NnOwCbab9km8fzbaXfJlWZYZPsyFJqw=""",
    "password": """\
MIIBBjBhBgkqhkiG9w0BBQ0wVDA0BgkqhkiG9w0BBQwwJwQQaADudE4Ycenuoth4
ZqcewgIDAQAAAgEQMAsGCSqBHM9VAYMRAjAcBggqgRzPVQFoAgQQ9aUmOaXn0mZD
7xhBdd+FlQSBoKc0GG7US2SsmQIrppPNQeyDFpG8xthNI6G4R/YbSPJCvSMJ/9y3
LQ/jrdUumuKevgg9miAcjbKndm7HC07lMYUk1ZXlaEG/1awER4RJsRvZ64GlBQOV
D7jbu93mSs9t3SDt4TniDua5WyXo5Y8S6DjkkUD5epHRzYZ4uFFC/8pTeehK7X+S
p2b6CndfB6H4LrvCGuRnjX4l5Q5AgfWDmWU=""",
}


@pytest.mark.parametrize("passphrase", _GMSSL)
def test_files_of_gmssl(passphrase: str) -> None:
    pem = f"-----BEGIN ENCRYPTED PRIVATE KEY-----\n{_GMSSL[passphrase]}\n-----END ENCRYPTED PRIVATE KEY-----\n".encode()
    signer = parse_private_key(Secret(pem), Secret(passphrase.encode()))
    assert signer.public_key.algorithm == "SM2-SM3"
    signer.public_key.verify(signer.sign(b"m"), b"m")
    _refused(pem, "keyfile.passphrase", Secret(passphrase.swapcase().encode()))


@pytest.mark.parametrize("name", ALGORITHM_NAMES)
@pytest.mark.parametrize("passphrase", [b"wrong", bytes(_PASSPHRASE) + b"\n", bytes(_PASSPHRASE)[:-1], b"\x00"])
def test_wrong_passphrase(name: Algorithm, passphrase: bytes) -> None:
    error = _refused(_encrypt(name), "keyfile.passphrase", Secret(passphrase))
    assert isinstance(error, VerificationError)


def test_every_wrong_passphrase_has_the_same_answer() -> None:
    """One in 256 leaves good padding, and then no key: 2 000 attempts meet both."""
    data = _encrypt("Ed25519", 1)
    for number in range(2000):
        _refused(data, "keyfile.passphrase", Secret(b"%d" % number))


def test_no_and_empty_passphrase() -> None:
    _refused(_FILE, "key.encrypted", None)
    _refused(_FILE, "passphrase.empty", Secret())
    with pytest.raises(MalformedError) as caught:
        export_encrypted_key(_SIGNERS["ES256"], Secret(), random_bytes=os.urandom)
    assert caught.value.code == "passphrase.empty"
    plain = export_private_key(_SIGNERS["ES256"], form="pem")
    for needless in (Secret(), _PASSPHRASE):
        assert parse_private_key(plain, needless).public_key == _SIGNERS["ES256"].public_key


def test_every_changed_byte_is_refused() -> None:
    for at in range(len(_FILE)):
        with pytest.raises(LedgerError) as caught:
            parse_private_key(Secret(_FILE[:at] + bytes([_FILE[at] ^ 1]) + _FILE[at + 1 :]), _PASSPHRASE)
        if at >= _CIPHERTEXT_AT:
            assert caught.value.code == "keyfile.passphrase"


@pytest.mark.parametrize("iterations", [-1, 0, ITERATIONS_MAX + 1, 2**31, 2**64, 2**2000])
def test_hostile_cost_is_refused_before_it_is_paid(iterations: int) -> None:
    started = time.process_time()
    _refused(_with(iterations=iterations), "key.encryption")
    assert time.process_time() - started < 0.5


_SHA256, _AES = "1.2.840.113549.2.9", "2.16.840.1.101.3.4.1.42"


def _tlv(value: object) -> asn1.TLV:
    return asn1.decode_der(asn1.TLV, asn1.encode_der(value))


@asn1.sequence
class _Pair:
    oid: ObjectIdentifier
    value: asn1.TLV


@asn1.sequence
class _Pbkdf2:
    salt: bytes
    iterations: int
    key_length: int | None
    prf: list[asn1.TLV] | None


@asn1.sequence
class _Two:
    one: asn1.TLV
    two: asn1.TLV


def _with(
    *,
    scheme: str = "1.2.840.113549.1.5.13",
    derivation: str = "1.2.840.113549.1.5.12",
    cipher: str = _AES,
    prf: str | None = _SHA256,
    salt: bytes = bytes(16),
    iv: bytes = bytes(16),
    iterations: int = 1,
    key_length: int | None = None,
    data: bytes = bytes(48),
) -> bytes:
    """An EncryptedPrivateKeyInfo with these parameters."""
    prfs = None if prf is None else [_tlv(ObjectIdentifier(prf))]
    parameters = _Pbkdf2(salt=salt, iterations=iterations, key_length=key_length, prf=prfs)
    schemes = _Two(
        one=_tlv(_Pair(oid=ObjectIdentifier(derivation), value=_tlv(parameters))),
        two=_tlv(_Pair(oid=ObjectIdentifier(cipher), value=_tlv(iv))),
    )
    return asn1.encode_der(_Two(one=_tlv(_Pair(oid=ObjectIdentifier(scheme), value=_tlv(schemes))), two=_tlv(data)))


@pytest.mark.parametrize(
    "members",
    [
        {"scheme": "1.2.840.113549.1.5.3"},  # PBES1
        {"scheme": "1.2.840.113549.1.12.1.3"},  # PKCS#12 with 3DES
        {"derivation": "1.3.6.1.4.1.11591.4.11"},  # scrypt
        {"cipher": "1.2.840.113549.3.7"},  # 3DES
        {"cipher": "2.16.840.1.101.3.4.1.41"},  # AES-256-ECB
        {"prf": "1.2.840.113549.2.7"},  # HMAC-SHA-1
        {"prf": None},  # HMAC-SHA-1, by default
        {"iv": bytes(15)},
        {"iv": b""},
        {"salt": bytes(65)},
        {"key_length": 16},
        {"key_length": -32},
    ],
    ids=str,
)
def test_other_schemes(members: dict) -> None:
    error = _refused(_with(**members), "key.encryption")
    assert "openssl pkcs8 -topk8" in str(error)


@pytest.mark.parametrize(
    "members", [{}, {"data": b""}, {"data": bytes(15)}, {"data": bytes(17)}, {"key_length": 32}, {"salt": b""}], ids=str
)
def test_ciphertexts_of_nothing(members: dict) -> None:
    _refused(_with(**members), "keyfile.passphrase")


def test_the_old_encryption_of_pem() -> None:
    headers = b"Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n"
    pem = b"-----BEGIN EC PRIVATE KEY-----\n" + headers + b"AAAA\n-----END EC PRIVATE KEY-----\n"
    assert "openssl pkcs8 -topk8" in str(_refused(pem, "key.encryption"))


def test_an_encrypted_rsa_key_is_no_wrong_passphrase() -> None:
    key = rsa.generate_private_key(65537, 2048)
    encryption = BestAvailableEncryption(bytes(_PASSPHRASE))
    data = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    assert "an RSA key" in str(_refused(data, "key.kind"))
