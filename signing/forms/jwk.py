"""Keys as JWK files of other programs (RFC 7517, RFC 7518 §6.2, RFC 8037): read with their labels, written without.

Inside our own formats a JWK has exactly the members of ``PublicKey.to_jwk``; only key files are read this liberally.
"""

from typing import Final

from signing.algorithms import ALGORITHMS
from signing.encoding import b64url_decode, b64url_encode
from signing.errors import MalformedError
from signing.keys import PublicKey
from signing.secret import Secret
from signing.signers import MemorySigner, join_halves, private_half
from signing.strict_json import JsonValue, dump_json, json_object, json_str, json_strs, parse_json

_ALGORITHM_OF_CURVE: Final = {row.crv: name for name, row in ALGORITHMS.items()}
_LABELS: Final = ("alg", "kid", "use", "key_ops", "y")


def parse_public_jwk(data: bytes, *, max_bytes: int) -> PublicKey:
    """The key of a public JWK.

    Raises MalformedError: ``key.form`` and ``form.*`` for another form, ``key.kind`` for a key that does not sign here.
    """
    members = _members(data, "public key", max_bytes)
    if "d" in members:
        raise MalformedError("key.kind", "public key: this is a private key; keep it, and export its public half")
    return _public_key(members, "public key")


def parse_private_jwk(data: Secret, *, max_bytes: int) -> MemorySigner:
    """The signer of a private JWK, whose ``d`` must belong to its ``x`` and ``y``; raises as ``parse_public_jwk``."""
    members = _members(data, "private key", max_bytes)
    if "d" not in members:
        raise MalformedError("key.kind", "private key: this is a public key: member 'd' is missing")
    text = Secret(json_str(members.pop("d"), what="private key: d", max_length=100).encode())
    public = _public_key(members, "private key")
    private = Secret(b64url_decode(text.decode(), what="private key: d"))
    if len(private) != ALGORITHMS[public.algorithm].size:
        raise MalformedError("key.form", f"private key: d is not {ALGORITHMS[public.algorithm].size} bytes")
    return join_halves(public.algorithm, private, public, what="private key")


def public_jwk(key: PublicKey) -> bytes:
    """The public JWK as canonical JSON and a line feed."""
    return dump_json(key.to_jwk()) + b"\n"


def private_jwk(signer: MemorySigner) -> Secret:
    """The private JWK, not encrypted, as canonical JSON and a line feed."""
    jwk = signer.public_key.to_jwk() | {"d": b64url_encode(private_half(signer))}
    return Secret(dump_json(jwk) + b"\n")


def _members(data: bytes, what: str, max_bytes: int) -> dict[str, JsonValue]:
    """The members without the labels that say nothing about the key itself."""
    value = parse_json(data, what=what, max_bytes=max_bytes)
    if not isinstance(value, dict):
        raise MalformedError("key.form", f"{what}: not a JWK")
    if value.get("crv") not in list(_ALGORITHM_OF_CURVE):
        raise MalformedError("key.kind", f"{what}: crv is none of {', '.join(_ALGORITHM_OF_CURVE)}")
    jwk = json_object(value, what=what, required=("kty", "crv", "x"), optional=(*_LABELS, "d"))
    json_str(jwk.pop("kid", ""), what=f"{what}: kid")
    uses = json_strs(jwk.pop("key_ops", []), what=f"{what}: key_ops", max_items=2)
    if jwk.pop("use", "sig") != "sig" or not {"sign", "verify"}.issuperset(uses):
        raise MalformedError("key.kind", f"{what}: meant for another use than signing")
    return jwk


def _public_key(jwk: dict[str, JsonValue], what: str) -> PublicKey:
    algorithm = _ALGORITHM_OF_CURVE[json_str(jwk["crv"], what=what)]
    if "alg" not in jwk or (algorithm, jwk["alg"]) == ("Ed25519", "EdDSA"):  # its name until RFC 9864
        jwk = jwk | {"alg": algorithm}
    return PublicKey.from_jwk(jwk, what=what)
