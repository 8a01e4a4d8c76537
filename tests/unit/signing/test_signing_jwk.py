"""JWK and thumbprints: vectors of RFC 7638 and RFC 8037, and one accepted form."""

import json
from pathlib import Path

import pytest
from joserfc.jwk import ECKey, OKPKey

from signing import (
    ALGORITHM_NAMES,
    Algorithm,
    JsonValue,
    MalformedError,
    PublicKey,
    b64url_decode,
    b64url_encode,
    dump_json,
    generate_signer,
    sha256,
)

_JOSE = json.loads((Path(__file__).parents[2] / "vectors/signing_standards.json").read_text())["jose"]
_ED, _EC = _JOSE["ed25519_jwk"], _JOSE["es256_jwk"]
_EC_RAW = PublicKey.from_jwk(_EC).raw
_KEYS = {name: generate_signer(name, lambda size: b"\x17" * size).public_key for name in ALGORITHM_NAMES}
_SM2 = _KEYS["SM2-SM3"].to_jwk()


def test_thumbprint_vectors() -> None:
    assert b64url_encode(sha256(dump_json(_JOSE["rsa_members"]))) == _JOSE["rsa_thumbprint"]
    assert PublicKey.from_jwk(_ED).key_id == _JOSE["ed25519_thumbprint"]


@pytest.mark.parametrize(("jwk", "kind"), [(_ED, OKPKey), (_EC, ECKey), (_KEYS["ES384"].to_jwk(), ECKey)])
def test_thumbprint_agrees_with_joserfc(jwk: dict, kind: type[OKPKey] | type[ECKey]) -> None:
    assert PublicKey.from_jwk(jwk).key_id == kind.import_key(jwk).thumbprint()


@pytest.mark.parametrize("name", ALGORITHM_NAMES)
def test_round_trip(name: Algorithm) -> None:
    key = _KEYS[name]
    assert PublicKey.from_jwk(key.to_jwk()) == key
    assert len(key.key_id) == 43


def test_the_form_of_sm2() -> None:
    """Ours, since none is registered: as any EC key, with the curve's name SM2."""
    raw = _KEYS["SM2-SM3"].raw
    x, y = b64url_encode(raw[:32]), b64url_encode(raw[32:])
    assert dump_json(_SM2) == f'{{"alg":"SM2-SM3","crv":"SM2","kty":"EC","x":"{x}","y":"{y}"}}'.encode()
    members = f'{{"crv":"SM2","kty":"EC","x":"{x}","y":"{y}"}}'.encode()
    assert _KEYS["SM2-SM3"].key_id == b64url_encode(sha256(members))


@pytest.mark.parametrize("jwk", [_ED, _EC])
def test_every_jws_example_verifies(jwk: dict) -> None:
    name = jwk["alg"].lower()
    signing_input, _, signature = _JOSE[f"{name}_jws"].rpartition(".")
    PublicKey.from_jwk(jwk).verify(b64url_decode(signature, what="signature"), signing_input.encode())


_WRONG: list[JsonValue] = [
    None,
    True,
    7,
    "jwk",
    [],
    {},
    _ED | {"d": _ED["x"]},
    _EC | {"d": _EC["x"]},
    _ED | {"kid": "k"},
    _ED | {"use": "sig"},
    _ED | {"y": _ED["x"]},
    _ED | {"alg": "EdDSA"},
    _ED | {"alg": "ES256"},
    _ED | {"alg": "none"},
    _ED | {"alg": ["Ed25519"]},
    _ED | {"crv": "X25519"},
    _ED | {"crv": "Ed448"},
    _ED | {"kty": "EC"},
    _ED | {"kty": "okp"},
    _ED | {"kty": ["OKP"]},
    _EC | {"kty": "OKP"},
    _EC | {"crv": "P-384"},
    _EC | {"crv": "secp256k1"},
    _EC | {"alg": "ES256K"},
    _EC | {"alg": "ES384"},
    _EC | {"alg": "ES384", "crv": "P-384"},
    _EC | {"alg": "SM2-SM3", "crv": "SM2"},
    _SM2 | {"alg": "SM2"},
    _SM2 | {"alg": "ES256", "crv": "P-256"},
    _SM2 | {"crv": "P-256"},
    _SM2 | {"crv": "sm2p256v1"},
    _SM2 | {"x": _SM2["y"], "y": _SM2["x"]},
    _SM2 | {"x": "A" * 43, "y": "A" * 43},
    _KEYS["ES384"].to_jwk() | {"alg": "ES512", "crv": "P-521"},
    _KEYS["ES384"].to_jwk() | {"x": _EC["x"], "y": _EC["y"]},
    {"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"},
    {"kty": "RSA", "n": "AQAB", "e": "AQAB", "alg": "RS256", "crv": ""},
    _ED | {"x": None},
    _ED | {"x": 5},
    _ED | {"x": ""},
    _ED | {"x": _ED["x"] + "="},
    _ED | {"x": _ED["x"] + "A"},
    _ED | {"x": _ED["x"][:-1]},
    _ED | {"x": _ED["x"][:-1] + "p"},
    _ED | {"x": _ED["x"].replace("_", "/")},
    _ED | {"x": "A" * 43},
    _ED | {"x": "A" * 1000},
    _EC | {"x": b64url_encode(bytes(31)), "y": b64url_encode(bytes(33))},
    _EC | {"x": b64url_encode(_EC_RAW[:31]), "y": b64url_encode(_EC_RAW[31:])},
    _EC | {"x": b64url_encode(_EC_RAW), "y": ""},
    _EC | {"x": _EC["y"], "y": _EC["x"]},
    _EC | {"x": "A" * 43, "y": "A" * 43},
    *({name: value for name, value in _ED.items() if name != left} for left in _ED),
    *({name: value for name, value in _EC.items() if name != left} for left in _EC),
]


@pytest.mark.parametrize("value", _WRONG, ids=range(len(_WRONG)))
def test_any_other_form_is_refused(value: JsonValue) -> None:
    with pytest.raises(MalformedError):
        PublicKey.from_jwk(value)
