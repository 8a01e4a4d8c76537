"""Shell: private keys and other secrets in files, encrypted under a passphrase.

Format ``ematerials/keyfile/v1``: canonical JSON with the kind, scrypt parameters and salt, and an AES-256-GCM box whose
associated data are all other members. Only the one canonical spelling is read: no byte can be changed unnoticed. A kind
is the name of an algorithm (``signing.algorithms``), or one that the caller gives to other secrets.
"""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from signing.encoding import b64_decode, b64_encode
from signing.errors import MalformedError, UnavailableError, VerificationError
from signing.secret import Secret
from signing.signers import MemorySigner, load_signer
from signing.strict_json import JsonValue, dump_json, json_int, json_object, json_str, parse_json

VERSION: Final = "ematerials/keyfile/v1"
SCRYPT_LOG_N: Final = 15
_MAX_BYTES: Final = 4096
_WHAT: Final = "key file"
# scrypt takes 2^log_n KiB of memory: a hostile file can make us spend 128 MiB, no more.
_LOG_N_MIN: Final = 10
_LOG_N_MAX: Final = 17


def seal_secret(
    secret: Secret, passphrase: Secret, *, kind: str, random_bytes: Callable[[int], bytes], log_n: int = SCRYPT_LOG_N
) -> bytes:
    """Encrypt ``secret`` as the bytes of a key file; scrypt's cost is N = 2^log_n (RFC 7914; r = 8, p = 1).

    Raises MalformedError for an empty passphrase (``passphrase.empty``) and for all else that ``open_secret`` would
    refuse: a file that can't be read again is never made.
    """
    salt, nonce = random_bytes(16), random_bytes(12)
    header: dict[str, JsonValue] = {
        "version": VERSION, "kind": kind, "log_n": log_n, "salt": b64_encode(salt), "nonce": b64_encode(nonce)
    }  # fmt: skip
    box = AESGCM(_derive(passphrase, salt, log_n, _WHAT)).encrypt(nonce, secret, dump_json(header))
    data = dump_json(header | {"box": b64_encode(box)}) + b"\n"
    _read(data, _WHAT)
    return data


def open_key_file(path: Path, passphrase: Secret) -> tuple[str, Secret]:
    """Return (kind, secret) of the key file at ``path``; raises as ``read_key_file`` and ``open_secret``."""
    return open_secret(read_key_file(path), passphrase, what=f"key file {path.name}")


def open_secret(data: bytes, passphrase: Secret, *, what: str = _WHAT) -> tuple[str, Secret]:
    """Return (kind, secret) of a key file's bytes; ``what`` names the file in errors.

    Raises MalformedError for another form or an empty passphrase (``passphrase.empty``), VerificationError
    (``keyfile.passphrase``) for a wrong passphrase or a changed file: the two can't be told apart.
    """
    header, salt, nonce, box = _read(data, what)
    kind = json_str(header["kind"], what=f"{what}: kind", max_length=32)
    key = _derive(passphrase, salt, header["log_n"], what)
    try:
        return kind, Secret(AESGCM(key).decrypt(nonce, box, dump_json(header)))
    except InvalidTag:
        advice = "give the passphrase that it was sealed with, or put the file back from a backup"
        message = f"{what}: wrong passphrase, or the file was changed: {advice}"
        raise VerificationError("keyfile.passphrase", message) from None


def _read(data: bytes, what: str) -> tuple[dict[str, JsonValue], bytes, bytes, bytes]:
    """The members without the box, salt, nonce and box."""
    names = ("version", "kind", "log_n", "salt", "nonce", "box")
    header = json_object(parse_json(data, what=what, max_bytes=_MAX_BYTES), what=what, required=names)
    if header["version"] != VERSION:
        raise MalformedError("form.version", f"{what}: the version is not {VERSION}")
    if data != dump_json(header) + b"\n":
        raise MalformedError("form.canonical", f"{what}: not in canonical form")
    salt, nonce, box = (
        b64_decode(json_str(header[name], what=f"{what}: {name}", max_length=_MAX_BYTES), what=f"{what}: {name}")
        for name in ("salt", "nonce", "box")
    )
    if len(nonce) != 12 or len(salt) != 16:
        raise MalformedError("keyfile.form", f"{what}: salt or nonce of wrong length")
    json_str(header["kind"], what=f"{what}: kind", max_length=32)
    return {name: value for name, value in header.items() if name != "box"}, salt, nonce, box


def write_key_file(path: Path, data: bytes) -> None:
    """Create ``path`` (mode 0600) durably, whole or not at all, and never over another file.

    Raises MalformedError (``keyfile.exists``), UnavailableError (``keyfile.unwritable``).
    """
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
            os.link(stream.name, path)
        _sync_folder(path.parent)
    except FileExistsError:
        message = f"key file {path.name}: exists already, and none is ever overwritten: choose another name"
        raise MalformedError("keyfile.exists", message) from None
    except OSError as error:
        message = f"key file {path.name}: can't be written to {path.parent}: {error.strerror}"
        raise UnavailableError("keyfile.unwritable", message) from None


def read_key_file(path: Path) -> bytes:
    """The bytes of a key file; raises UnavailableError (``keyfile.missing``) if it can't be read."""
    try:
        with path.open("rb") as stream:
            return stream.read(_MAX_BYTES + 1)
    except OSError as error:
        message = f"key file {path.name}: can't be read in {path.parent}: {error.strerror}"
        raise UnavailableError("keyfile.missing", message) from None


def signer_of(kind: str, secret: Secret) -> MemorySigner:
    """The signer of an opened key file whose kind is an algorithm's name; MalformedError (``keyfile.kind``) else."""
    return load_signer(kind, secret)


def _derive(passphrase: Secret, salt: bytes, log_n: JsonValue, what: str) -> Secret:
    cost = 1 << json_int(log_n, what=f"{what}: log_n", minimum=_LOG_N_MIN, maximum=_LOG_N_MAX)
    if not passphrase:
        raise MalformedError("passphrase.empty", f"{what}: an empty passphrase protects nothing: give another")
    return Secret(Scrypt(salt=salt, length=32, n=cost, r=8, p=1).derive(passphrase))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
