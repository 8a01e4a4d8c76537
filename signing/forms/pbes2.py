"""Encryption of PKCS#8 under a passphrase: PBES2 with PBKDF2 and a CBC cipher (RFC 8018 §§5.2, 6.2; GM/T 0091).

Written: HMAC-SHA-256 and AES-256. Read as well: SHA-384, SHA-512, SM3, AES-128 and SM4, which OpenSSL and GmSSL write.
CBC proves nothing about its bytes: whoever reads them checks that the two halves of the key belong together. PKCS#8 of
Ed25519 has one half only, so that a changed file can hold another key: compare key ids where that matters.
"""

from collections.abc import Callable
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES, SM4
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, SM3, HashAlgorithm
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.x509 import ObjectIdentifier

from signing.errors import MalformedError, VerificationError
from signing.secret import Secret

ITERATIONS: Final = 600_000
ITERATIONS_MAX: Final = 5_000_000  # some seconds: what a hostile file can make us spend
_PBES2: Final = ObjectIdentifier("1.2.840.113549.1.5.13")
_PBKDF2: Final = ObjectIdentifier("1.2.840.113549.1.5.12")
_HMAC_SHA256: Final = ObjectIdentifier("1.2.840.113549.2.9")
_AES_256_CBC: Final = ObjectIdentifier("2.16.840.1.101.3.4.1.42")
_HASHES: Final[dict[ObjectIdentifier, HashAlgorithm]] = {
    _HMAC_SHA256: SHA256(),
    ObjectIdentifier("1.2.840.113549.2.10"): SHA384(),
    ObjectIdentifier("1.2.840.113549.2.11"): SHA512(),
    ObjectIdentifier("1.2.156.10197.1.401.2"): SM3(),  # GM/T 0006, GmSSL
    ObjectIdentifier("1.2.156.10197.1.401.3.1"): SM3(),  # GM/T 0091, OpenSSL
}
_CIPHERS: Final[dict[ObjectIdentifier, tuple[type[AES] | type[SM4], int]]] = {
    ObjectIdentifier("2.16.840.1.101.3.4.1.2"): (AES, 16),
    _AES_256_CBC: (AES, 32),
    ObjectIdentifier("1.2.156.10197.1.104.2"): (SM4, 16),
}
_BLOCK: Final = 16
_SALT_MAX: Final = 64


@asn1.sequence
class _Scheme:
    oid: ObjectIdentifier
    parameters: asn1.TLV


@asn1.sequence
class _Schemes:
    derivation: _Scheme
    cipher: _Scheme


@asn1.sequence
class _Derivation:
    salt: bytes
    iterations: int
    key_length: int | None
    prf: list[asn1.TLV] | None


@asn1.sequence
class _EncryptedPrivateKeyInfo:
    algorithm: _Scheme
    data: bytes


def is_encrypted(der: bytes) -> bool:
    """Whether ``der`` is an EncryptedPrivateKeyInfo, of whatever scheme."""
    try:
        asn1.decode_der(_EncryptedPrivateKeyInfo, der)
    except ValueError:
        return False
    return True


def encrypt(plain: Secret, passphrase: Secret, *, iterations: int, random_bytes: Callable[[int], bytes]) -> bytes:
    """``plain`` as a DER EncryptedPrivateKeyInfo; ``iterations`` of PBKDF2 are 1 to ITERATIONS_MAX."""
    salt, iv = random_bytes(_BLOCK), random_bytes(_BLOCK)
    key = _derive(passphrase, salt, iterations, SHA256(), 32)
    padder, encryptor = PKCS7(8 * _BLOCK).padder(), Cipher(AES(key), CBC(iv)).encryptor()
    padded = Secret(padder.update(plain) + padder.finalize())
    prf = [_tlv(asn1.encode_der(_HMAC_SHA256)), _tlv(asn1.encode_der(asn1.Null()))]
    derivation = _Derivation(salt=salt, iterations=iterations, key_length=None, prf=prf)
    schemes = _Schemes(
        derivation=_Scheme(oid=_PBKDF2, parameters=_tlv(asn1.encode_der(derivation))),
        cipher=_Scheme(oid=_AES_256_CBC, parameters=_tlv(asn1.encode_der(iv))),
    )
    algorithm = _Scheme(oid=_PBES2, parameters=_tlv(asn1.encode_der(schemes)))
    data = encryptor.update(padded) + encryptor.finalize()
    return asn1.encode_der(_EncryptedPrivateKeyInfo(algorithm=algorithm, data=data))


def decrypt(der: bytes, passphrase: Secret) -> Secret:
    """What ``encrypt`` or another program encrypted.

    Raises MalformedError (``key.encryption``) for another scheme or a cost beyond ITERATIONS_MAX, VerificationError
    (``keyfile.passphrase``) where the padding tells that passphrase or data are wrong; it need not tell.
    """
    try:
        key, cipher, iv, data = _read(der, passphrase)
    except ValueError:
        raise _unknown("not PBES2 with PBKDF2") from None
    except UnsupportedAlgorithm:
        raise _unknown("a hash that the installed OpenSSL lacks") from None
    try:
        decryptor, unpadder = Cipher(cipher(key), CBC(iv)).decryptor(), PKCS7(8 * _BLOCK).unpadder()
        padded = Secret(decryptor.update(data) + decryptor.finalize())
        return Secret(unpadder.update(padded) + unpadder.finalize())
    except ValueError:
        raise wrong_passphrase() from None
    except UnsupportedAlgorithm:
        raise _unknown("a cipher that the installed OpenSSL lacks") from None


def wrong_passphrase() -> VerificationError:
    """The refusal of a passphrase or of changed bytes: the two can't be told apart."""
    return VerificationError("keyfile.passphrase", "private key: wrong passphrase, or the file was changed")


def _read(der: bytes, passphrase: Secret) -> tuple[Secret, type[AES] | type[SM4], bytes, bytes]:
    """Derived key, cipher, IV and data; raises ValueError for DER of another form."""
    info = asn1.decode_der(_EncryptedPrivateKeyInfo, der)
    if info.algorithm.oid != _PBES2:
        raise _unknown("not PBES2")
    schemes = info.algorithm.parameters.parse(_Schemes)
    if schemes.derivation.oid != _PBKDF2:
        raise _unknown("not PBKDF2")
    derivation = schemes.derivation.parameters.parse(_Derivation)
    prf = _named(derivation.prf or [])
    if prf not in _HASHES or schemes.cipher.oid not in _CIPHERS:
        raise _unknown("another cipher, or PBKDF2 with another hash")
    cipher, size = _CIPHERS[schemes.cipher.oid]
    iv = schemes.cipher.parameters.parse(bytes)
    if derivation.key_length not in (None, size) or len(iv) != _BLOCK or len(derivation.salt) > _SALT_MAX:
        raise _unknown("a key, IV or salt of wrong length")
    key = _derive(passphrase, derivation.salt, derivation.iterations, _HASHES[prf], size)
    return key, cipher, iv, info.data


def _named(identifier: list[asn1.TLV]) -> ObjectIdentifier | None:
    """The OID of an AlgorithmIdentifier whose parameters are NULL or absent; raises ValueError for others."""
    if not 1 <= len(identifier) <= 2:
        return None
    for parameters in identifier[1:]:
        parameters.parse(asn1.Null)
    oid: ObjectIdentifier = identifier[0].parse(ObjectIdentifier)
    return oid


def _derive(passphrase: Secret, salt: bytes, iterations: int, prf: HashAlgorithm, size: int) -> Secret:
    if not passphrase:
        raise MalformedError("passphrase.empty", "private key: an empty passphrase protects nothing")
    if not 1 <= iterations <= ITERATIONS_MAX:
        raise _unknown(f"PBKDF2 does not have 1 to {ITERATIONS_MAX} rounds")
    return Secret(PBKDF2HMAC(prf, size, salt, iterations).derive(passphrase))


def _unknown(why: str) -> MalformedError:
    advice = "encrypt it anew: openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD -out NEW"
    return MalformedError("key.encryption", f"private key: encrypted in a way that is not read here ({why}); {advice}")


def _tlv(der: bytes) -> asn1.TLV:
    return asn1.decode_der(asn1.TLV, der)
