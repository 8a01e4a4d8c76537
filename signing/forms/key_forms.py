"""Keys in the forms of other programs: PEM, DER (SubjectPublicKeyInfo, PKCS#8, SEC 1) and JWK. Bytes in, values out.

Private keys leave only through ``export_private_key`` and ``export_encrypted_key``.
"""

from collections.abc import Callable
from typing import Final, Literal

from signing.errors import LedgerError, MalformedError
from signing.forms import jwk, pbes2
from signing.forms.pem import PemBlock, is_pem, parse_pem, write_pem
from signing.forms.pkcs8 import parse_pkcs8, parse_private_der, pkcs8_der
from signing.forms.spki import other_kind, parse_spki, spki_der
from signing.keys import PublicKey
from signing.secret import Secret
from signing.signers import MemorySigner

KeyForm = Literal["pem", "der", "jwk"]
KEY_FORM_MAX_BYTES: Final = 16_384
_PUBLIC: Final = "PUBLIC KEY"
_PRIVATE: Final = "PRIVATE KEY"
_ENCRYPTED: Final = "ENCRYPTED PRIVATE KEY"
_SEC1: Final = ("EC PRIVATE KEY", "SM2 PRIVATE KEY")
_OTHERS: Final = {
    _PUBLIC: "a public key",
    _PRIVATE: "a private key, which has to stay where it is: export its public half",
    _ENCRYPTED: "a private key, which has to stay where it is: export its public half",
    "CERTIFICATE": "a certificate",
    "RSA PUBLIC KEY": "an RSA key",
    "RSA PRIVATE KEY": "an RSA key",
    "DSA PRIVATE KEY": "a DSA key",
    "OPENSSH PRIVATE KEY": "a key in OpenSSH's own form (ssh-keygen -p -m PKCS8 -f FILE rewrites it)",
}
_PARAMETERS: Final = ("EC PARAMETERS", "SM2 PARAMETERS")  # openssl ecparam -genkey writes one before the key


def parse_public_key(data: bytes) -> PublicKey:
    """The key of a public key file: PEM ``PUBLIC KEY``, DER SubjectPublicKeyInfo or JWK, told by its first bytes.

    Raises MalformedError: ``key.kind`` for something that is not a public key which signs here, ``key.form``,
    ``form.size``, ``form.pem`` and the like for what is of no such form.
    """
    _check_size(data, "public key")
    if is_pem(data):
        block = _key_block(data, "public key")
        if block.label != _PUBLIC:
            raise other_kind("public key", _found(block))
        return parse_spki(block.der)
    if data.lstrip()[:1] == b"{":
        return jwk.parse_public_jwk(data, max_bytes=KEY_FORM_MAX_BYTES)
    return parse_spki(data)


def export_public_key(key: PublicKey, *, form: KeyForm) -> bytes:
    """The bytes of a public key file that ``parse_public_key`` reads."""
    if form == "jwk":
        return jwk.public_jwk(key)
    der = spki_der(key)
    return der if form == "der" else write_pem(_PUBLIC, der)


def parse_private_key(data: Secret, passphrase: Secret | None = None) -> MemorySigner:
    """The signer of a private key file: PKCS#8, encrypted or not, or SEC 1, in PEM or DER; or a private JWK.

    ``passphrase`` is used only if the file is encrypted. Raises MalformedError (``key.form``, ``key.kind``,
    ``key.no-public-half``, ``key.encryption``, ``passphrase.empty``; ``key.encrypted`` if a passphrase is needed),
    VerificationError (``keyfile.passphrase``), UnavailableError (``extra.gm``).
    """
    try:
        return _parse_private(data, passphrase)
    except LedgerError as error:
        # Without the inner frames: reporters of failures print the arguments of each.
        raise error.with_traceback(None) from None


def export_private_key(signer: MemorySigner, *, form: KeyForm) -> Secret:
    """The bytes of a private key file that is *not* encrypted: PKCS#8 or a private JWK."""
    if form == "jwk":
        return jwk.private_jwk(signer)
    der = pkcs8_der(signer)
    return der if form == "der" else Secret(write_pem(_PRIVATE, der))


def export_encrypted_key(
    signer: MemorySigner,
    passphrase: Secret,
    *,
    form: Literal["pem", "der"] = "pem",
    random_bytes: Callable[[int], bytes],
    iterations: int = pbes2.ITERATIONS,
) -> bytes:
    """PKCS#8 encrypted under ``passphrase`` (PBES2: PBKDF2-HMAC-SHA-256 and AES-256-CBC), as OpenSSL reads it.

    Raises MalformedError (``passphrase.empty``).
    """
    der = pbes2.encrypt(pkcs8_der(signer), passphrase, iterations=iterations, random_bytes=random_bytes)
    return der if form == "der" else write_pem(_ENCRYPTED, der)


def _parse_private(data: Secret, passphrase: Secret | None) -> MemorySigner:
    _check_size(data, "private key")
    if is_pem(data):
        block = _key_block(data, "private key")
        if block.label not in (_PRIVATE, _ENCRYPTED, *_SEC1):
            raise other_kind("private key", _found(block))
        data = Secret(block.der)
    elif data.lstrip()[:1] == b"{":
        return jwk.parse_private_jwk(data, max_bytes=KEY_FORM_MAX_BYTES)
    if pbes2.is_encrypted(data):
        return _parse_encrypted(data, passphrase)
    return parse_private_der(data)


def _parse_encrypted(data: Secret, passphrase: Secret | None) -> MemorySigner:
    if passphrase is None:
        raise MalformedError("key.encrypted", "private key: encrypted; its passphrase is needed")
    plain = pbes2.decrypt(data, passphrase)
    try:
        return parse_pkcs8(plain)
    except MalformedError as error:
        if error.code == "key.form":  # one wrong passphrase in 256 leaves good padding
            raise pbes2.wrong_passphrase() from None
        raise


def _key_block(data: bytes, what: str) -> PemBlock:
    if b"Proc-Type:" in data:
        advice = "encrypt it anew: openssl pkcs8 -topk8 -in OLD -out NEW"
        raise MalformedError("key.encryption", f"{what}: encrypted in the way of old PEM files; {advice}")
    blocks = parse_pem(data, what=what, max_bytes=KEY_FORM_MAX_BYTES, max_blocks=2)
    keys = [block for block in blocks if block.label not in _PARAMETERS]
    if len(keys) != 1:
        raise MalformedError("key.form", f"{what}: not exactly one key in the file")
    return keys[0]


def _found(block: PemBlock) -> str:
    return _OTHERS.get(block.label, f"PEM labelled {block.label!r}")


def _check_size(data: bytes, what: str) -> None:
    if len(data) > KEY_FORM_MAX_BYTES:
        raise MalformedError("form.size", f"{what}: larger than {KEY_FORM_MAX_BYTES} bytes")
