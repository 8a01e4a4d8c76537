"""Who says so: digests, keys, compact JWS and signed notes. Bytes in, values out; knows nothing of logs or materials.

Encrypted key files are in the shell module ``signing.keyfile``.
"""

from signing.algorithms import ALGORITHM_NAMES, Algorithm, CryptoProfile
from signing.digests import FileDigests, digest_bytes, digest_stream, sha256
from signing.encoding import b64_decode, b64_encode, b64url_decode, b64url_encode, parse_decimal
from signing.errors import LedgerError, MalformedError, RefusedError, UnavailableError, VerificationError
from signing.forms.key_forms import (
    KEY_FORM_MAX_BYTES,
    KeyForm,
    export_encrypted_key,
    export_private_key,
    export_public_key,
    parse_private_key,
    parse_public_key,
)
from signing.jws import UnverifiedJws, VerifiedJws, parse_jws, sign_jws, verify_jws
from signing.keys import KeyId, PublicKey, Signer
from signing.notes.mldsa44 import MlDsa44Signer
from signing.notes.note import (
    UnverifiedNote,
    VerifiedNote,
    add_signature,
    cosign,
    open_note,
    parse_note,
    sign_line,
    sign_note,
)
from signing.notes.note_key import NoteKey
from signing.notes.note_lines import NoteSignature, VerifiedLine
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
    "KEY_FORM_MAX_BYTES",
    "Algorithm",
    "CryptoProfile",
    "Ed25519Signer",
    "Es256Signer",
    "Es384Signer",
    "FileDigests",
    "JsonValue",
    "KeyForm",
    "KeyId",
    "LedgerError",
    "MalformedError",
    "MemorySigner",
    "MlDsa44Signer",
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
    "VerifiedLine",
    "VerifiedNote",
    "add_signature",
    "b64_decode",
    "b64_encode",
    "b64url_decode",
    "b64url_encode",
    "cosign",
    "digest_bytes",
    "digest_stream",
    "dump_json",
    "export_encrypted_key",
    "export_private_key",
    "export_public_key",
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
    "parse_private_key",
    "parse_public_key",
    "sha256",
    "sign_jws",
    "sign_line",
    "sign_note",
    "verify_jws",
]
