"""joserfc as a second, independent implementation: each reads what the other signs."""

import json

import pytest
from joserfc import jws as joserfc_jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from signing import (
    Ed25519Signer,
    Es256Signer,
    Es384Signer,
    Secret,
    b64url_encode,
    dump_json,
    parse_jws,
    sign_jws,
    verify_jws,
)

_TYP = "dc+sd-jwt"
_CLAIMS = {
    "iss": "uscc:91310000775785552L",
    "名称": "出生医学证明",
    "exp": 1_800_000_000,
    "list": [None, True, {"a": -1}],
}


_Ours = Ed25519Signer | Es256Signer | Es384Signer
_KINDS = pytest.mark.parametrize("kind", [Ed25519Signer, Es256Signer, Es384Signer])


def _signer(kind: type[_Ours], byte: bytes) -> _Ours:
    return kind(Secret(bytes(15) + byte * (33 if kind is Es384Signer else 17)))


def _their_key(signer: _Ours) -> OKPKey | ECKey:
    jwk = signer.public_key.to_jwk() | {"d": b64url_encode(signer.secret_bytes())}
    return OKPKey.import_key(jwk) if signer.public_key.algorithm == "Ed25519" else ECKey.import_key(jwk)


@pytest.mark.parametrize("byte", [b"\x01", b"\x7e", b"\xff"])
@_KINDS
def test_both_ways(kind: type[_Ours], byte: bytes) -> None:
    signer = _signer(kind, byte)
    key, algorithm = _their_key(signer), signer.public_key.algorithm
    assert key.thumbprint() == signer.public_key.key_id

    ours = sign_jws(signer, typ=_TYP, claims=_CLAIMS)
    read = joserfc_jws.deserialize_compact(ours, key, algorithms=[algorithm])
    assert json.loads(read.payload) == _CLAIMS
    assert read.headers() == {"alg": algorithm, "kid": signer.public_key.key_id, "typ": _TYP}

    header = {"typ": _TYP, "kid": signer.public_key.key_id, "alg": algorithm}
    theirs = joserfc_jws.serialize_compact(header, dump_json(_CLAIMS), key, algorithms=[algorithm])
    assert verify_jws(parse_jws(theirs, typ=_TYP, max_bytes=4096), signer.public_key).claims == _CLAIMS


@_KINDS
def test_both_refuse_a_changed_payload(kind: type[_Ours]) -> None:
    signer = _signer(kind, b"\x01")
    header, _, signature = sign_jws(signer, typ=_TYP, claims=_CLAIMS).split(".")
    changed = f"{header}.{b64url_encode(dump_json(_CLAIMS | {'exp': 1_900_000_000}))}.{signature}"
    with pytest.raises(JoseError):
        joserfc_jws.deserialize_compact(changed, _their_key(signer), algorithms=[signer.public_key.algorithm])
