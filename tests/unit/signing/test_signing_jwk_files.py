"""JWK files of other programs, private and public (RFC 7515 A, RFC 8037 A): labels are read, all else is strict."""

import json
from pathlib import Path

import pytest

from signing import (
    LedgerError,
    MalformedError,
    MemorySigner,
    PublicKey,
    Secret,
    Sm2Signer,
    export_private_key,
    parse_jws,
    parse_private_key,
    parse_public_key,
)

_STANDARDS = json.loads((Path(__file__).parents[2] / "vectors/signing_standards.json").read_text())
_SM2 = Sm2Signer(Secret(bytes.fromhex(_STANDARDS["sm2"]["scalar"] + _STANDARDS["sm2"]["key"])))


def _parse(data: bytes) -> MemorySigner:
    return parse_private_key(Secret(data))


def _refused(data: bytes, code: str = "key.form") -> None:
    with pytest.raises(LedgerError) as caught:
        _parse(data)
    assert caught.value.code == code


_A3, _A1 = _STANDARDS["rfc7515"]["a3_jwk"], _STANDARDS["rfc8037"]["a1_jwk"]


def _jwk(base: dict, /, **members: object) -> bytes:
    return json.dumps({name: value for name, value in (base | members).items() if value is not ...}).encode()


@pytest.mark.parametrize(("base", "public"), [(_A3, "es256_jwk"), (_A1, "ed25519_jwk")])
def test_jwks_of_the_standards(base: dict, public: str) -> None:
    key = PublicKey.from_jwk(_STANDARDS["jose"][public])
    assert _parse(_jwk(base)).public_key == key
    assert parse_public_key(_jwk(base, d=...)) == key
    labels = {"kid": "2011-04-29", "use": "sig", "key_ops": ["sign"], "alg": key.algorithm}
    assert _parse(b"\n " + _jwk(base, **labels)).public_key == key
    assert parse_public_key(_jwk(base, **labels | {"d": ...})) == key


def test_the_old_name_of_ed25519() -> None:
    assert _parse(_jwk(_A1, alg="EdDSA")).public_key.algorithm == "Ed25519"
    _refused(_jwk(_A3, alg="EdDSA"))


_SM2_JWK = json.loads(export_private_key(_SM2, form="jwk"))


_OTHER_JWKS = [
    (_jwk(_A3, d=...), "key.kind"),
    (_jwk(_A3, use="enc"), "key.kind"),
    (_jwk(_A3, use=["sig"]), "key.kind"),
    (_jwk(_A3, key_ops=["decrypt"]), "key.kind"),
    (_jwk(_A3, key_ops=[["sign"]]), "form.type"),
    (_jwk(_A3, key_ops="sign"), "form.type"),
    (_jwk(_A3, crv="P-521"), "key.kind"),
    (_jwk(_A3, crv="P-384"), "key.form"),
    (_jwk(_A3, crv="SM2"), "key.form"),
    (_jwk(_A3, crv=["P-256"]), "key.kind"),
    (_jwk(_A3, crv=...), "key.kind"),
    (_jwk(_A3, kty="OKP"), "form.member"),
    (_jwk(_A3, kty=...), "form.member"),
    (_jwk(_A3, alg="ES384"), "key.form"),
    (_jwk(_A3, alg="none"), "key.form"),
    (_jwk(_A3, alg=None), "form.type"),
    (_jwk(_A3, kid=7), "form.type"),
    (_jwk(_A3, x5c=["AA=="]), "form.member"),
    (_jwk(_A3, p="AA"), "form.member"),
    (_jwk(_A3, x=...), "form.member"),
    (_jwk(_A3, y=...), "form.member"),
    (_jwk(_A3, x=_A3["y"], y=_A3["x"]), "key.form"),
    (_jwk(_A3, d=_A1["d"]), "key.form"),
    (_jwk(_A3, d=_A3["d"][:-2]), "form.base64url"),
    (_jwk(_A3, d=_A3["d"][:-3]), "key.form"),
    (_jwk(_A3, d=_A3["d"] + "AAAA"), "key.form"),
    (_jwk(_A3, d="A" * 43), "key.form"),
    (_jwk(_A3, d="_" * 42 + "8"), "key.form"),
    (_jwk(_A3, d=_A3["d"] + "="), "form.base64url"),
    (_jwk(_A3, d=5), "form.type"),
    (_jwk(_A3, d="A" * 101), "form.size"),
    (_jwk(_A1, d=_A3["d"]), "key.form"),
    (_jwk(_A1, y=_A1["x"]), "form.member"),
    (_jwk(_SM2_JWK, d=_A3["d"]), "key.form"),
    (_jwk(_SM2_JWK, alg="ES256"), "key.form"),
    (_jwk(_STANDARDS["rfc7515"]["a4_jwk"]), "key.kind"),
    (_jwk(_STANDARDS["rfc7515"]["a1_jwk"]), "key.kind"),
    (b'{"keys":[' + _jwk(_A3) + b"]}", "key.kind"),
    (b"{", "form.json"),
    (b"{}", "key.kind"),
    (_jwk(_A3)[:-1] + b',"d":"' + _A3["d"].encode() + b'"}', "form.json"),
    (b"{" * 16_385, "form.size"),
]


@pytest.mark.parametrize(("data", "code"), _OTHER_JWKS, ids=range(len(_OTHER_JWKS)))
def test_other_jwks(data: bytes, code: str) -> None:
    _refused(data, code)


@pytest.mark.parametrize("name", ["a1", "a4"])
def test_hs256_and_es512_of_rfc7515_are_refused(name: str) -> None:
    """A.1 and A.4: neither the token nor the key has a form that is read here, whatever else verifies it."""
    with pytest.raises(MalformedError):
        parse_jws(_STANDARDS["rfc7515"][f"{name}_jws"], typ="JWT", max_bytes=4096)
    for parse in (PublicKey.from_jwk, lambda jwk: parse_public_key(_jwk(jwk))):
        with pytest.raises(MalformedError):
            parse(_STANDARDS["rfc7515"][f"{name}_jwk"])


def test_a_private_jwk_is_no_public_key() -> None:
    for base in (_A3, _A1, _SM2_JWK):
        with pytest.raises(MalformedError) as caught:
            parse_public_key(_jwk(base))
        assert caught.value.code == "key.kind"
        assert base["d"] not in str(caught.value)
