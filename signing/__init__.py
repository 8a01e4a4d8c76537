"""Who says so: digests, keys, compact JWS and signed notes. Bytes in, values out; knows nothing of logs or materials.

Encrypted key files are in the shell module ``signing.keyfile``.
"""

from signing.algorithms import ALGORITHM_NAMES, Algorithm, CryptoProfile
from signing.digests import FileDigests, digest_bytes, digest_stream, sha256
from signing.encoding import b64_decode, b64_encode, b64url_decode, b64url_encode, parse_decimal
from signing.errors import LedgerError, MalformedError, RefusedError, UnavailableError, VerificationError
from signing.jws import UnverifiedJws, VerifiedJws, parse_jws, sign_jws, verify_jws
from signing.keys import KeyId, PublicKey, Signer
from signing.note import NoteSignature, UnverifiedNote, VerifiedNote, open_note, parse_note, sign_note
from signing.note_key import NoteKey
from signing.secret import Secret
from signing.signers import Ed25519Signer, Es256Signer, Es384Signer, MemorySigner, Sm2Signer, generate_signer
from signing.strict_json import (
    JsonValue,
    dump_json,
    json_bool,
    json_int,
    json_list,
    json_object,
    json_str,
    json_strs,
    parse_json,
)

__all__ = [
    "ALGORITHM_NAMES",
    "Algorithm",
    "CryptoProfile",
    "Ed25519Signer",
    "Es256Signer",
    "Es384Signer",
    "FileDigests",
    "JsonValue",
    "KeyId",
    "LedgerError",
    "MalformedError",
    "MemorySigner",
    "NoteKey",
    "NoteSignature",
    "PublicKey",
    "RefusedError",
    "Secret",
    "Signer",
    "Sm2Signer",
    "UnavailableError",
    "UnverifiedJws",
    "UnverifiedNote",
    "VerificationError",
    "VerifiedJws",
    "VerifiedNote",
    "b64_decode",
    "b64_encode",
    "b64url_decode",
    "b64url_encode",
    "digest_bytes",
    "digest_stream",
    "dump_json",
    "generate_signer",
    "json_bool",
    "json_int",
    "json_list",
    "json_object",
    "json_str",
    "json_strs",
    "open_note",
    "parse_decimal",
    "parse_json",
    "parse_jws",
    "parse_note",
    "sha256",
    "sign_jws",
    "sign_note",
    "verify_jws",
]
