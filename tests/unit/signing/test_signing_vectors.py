"""Keys and signatures of the standards and of Wycheproof, run through ``PublicKey.verify`` and the signers."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.hashes import SM3, Hash

from signing import (
    Ed25519Signer,
    Es256Signer,
    Es384Signer,
    LedgerError,
    MalformedError,
    PublicKey,
    Secret,
    Sm2Signer,
    VerificationError,
    b64_decode,
    parse_private_key,
    parse_public_key,
)
from signing.dss import der_to_raw

_VECTORS = Path(__file__).parents[2] / "vectors"
_STANDARDS = json.loads((_VECTORS / "signing_standards.json").read_text())
_A_B_GX_GY = (
    "fffffffeffffffffffffffffffffffffffffffff00000000fffffffffffffffc"
    "28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93"
    "32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7"
    "bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0"
)
_SM2 = {
    name: value if name in ("name", "signer_id") else bytes.fromhex(value) for name, value in _STANDARDS["sm2"].items()
}


def _cases(name: str) -> list:
    groups = json.loads((_VECTORS / f"signing_{name}_wycheproof.json").read_text())["groups"]
    return [
        pytest.param(group["key"], message, signature, valid, id=f"{number}")
        for group in groups
        for number, _, message, signature, valid in group["tests"]
    ]


def _verify(key: PublicKey, message: str, signature: str, valid: bool) -> None:
    if valid:
        key.verify(bytes.fromhex(signature), bytes.fromhex(message))
    else:
        with pytest.raises(VerificationError) as caught:
            key.verify(bytes.fromhex(signature), bytes.fromhex(message))
        assert caught.value.code == "signature.invalid"


@pytest.mark.parametrize("vector", _STANDARDS["ed25519"], ids=lambda vector: vector["name"])
def test_rfc8032_signs_and_verifies(vector: dict) -> None:
    signer = Ed25519Signer(Secret(bytes.fromhex(vector["seed"])))
    assert signer.public_key.raw.hex() == vector["key"]
    assert signer.sign(bytes.fromhex(vector["message"])).hex() == vector["signature"]
    _verify(signer.public_key, vector["message"], vector["signature"], valid=True)


@pytest.mark.parametrize(
    ("kind", "vector"),
    [(Es256Signer, vector) for vector in _STANDARDS["es256"]]
    + [(Es384Signer, vector) for vector in _STANDARDS["es384"]],
)
def test_rfc6979_verifies(kind: type[Es256Signer] | type[Es384Signer], vector: dict) -> None:
    signer = kind(Secret(bytes.fromhex(vector["scalar"])))
    assert signer.public_key.raw.hex() == vector["key"]
    _verify(signer.public_key, vector["message"], vector["signature"], valid=True)
    _verify(signer.public_key, vector["message"] + "00", vector["signature"], valid=False)


@pytest.mark.parametrize("vector", _STANDARDS["rfc9421"], ids=lambda vector: vector["name"])
def test_rfc9421_keys_and_signatures(vector: dict) -> None:
    signer = parse_private_key(Secret(vector["private"].encode()))
    key = parse_public_key(vector["public"].encode())
    assert (key, key.algorithm) == (signer.public_key, vector["algorithm"])
    base, signature = vector["base"].encode(), b64_decode(vector["signature"], what="signature")
    key.verify(signature, base)
    if key.algorithm == "Ed25519":
        assert signer.sign(base) == signature
    with pytest.raises(VerificationError):
        key.verify(signature, base + b"\n")


def test_sm2_za_and_e() -> None:
    """ZA and e of GB/T 32918.5 annex A. (GM/T 0003.2 annex A shows the same steps on a test curve that nobody deploys;
    GM/T 0003.5 has these numbers.)"""
    identity = _SM2["signer_id"].encode()
    za = _sm3((8 * len(identity)).to_bytes(2) + identity + bytes.fromhex(_A_B_GX_GY) + _SM2["key"])
    assert za == _SM2["za"]
    assert _sm3(za + _SM2["message"]) == _SM2["e"]


def _sm3(data: bytes) -> bytes:
    digest = Hash(SM3())
    digest.update(data)
    return digest.finalize()


def test_sm2_signature_of_the_standard() -> None:
    key = PublicKey("SM2-SM3", _SM2["key"])
    key.verify(_SM2["signature"], _SM2["message"])
    assert Sm2Signer(Secret(_SM2["scalar"] + _SM2["key"])).public_key == key
    for at in range(64):
        changed = bytearray(_SM2["signature"])
        changed[at] ^= 1
        with pytest.raises(VerificationError):
            key.verify(bytes(changed), _SM2["message"])


@pytest.mark.parametrize(("key", "message", "signature", "valid"), _cases("ed25519"))
def test_wycheproof_ed25519(key: str, message: str, signature: str, valid: bool) -> None:
    _verify(PublicKey("Ed25519", bytes.fromhex(key)), message, signature, valid)


@pytest.mark.parametrize(("key", "message", "signature", "valid"), _cases("es256"))
def test_wycheproof_es256(key: str, message: str, signature: str, valid: bool) -> None:
    _verify(PublicKey("ES256", bytes.fromhex(key)), message, signature, valid)


@pytest.mark.parametrize(("key", "message", "signature", "valid"), _cases("es384"))
def test_wycheproof_es384(key: str, message: str, signature: str, valid: bool) -> None:
    _verify(PublicKey("ES384", bytes.fromhex(key)), message, signature, valid)


@pytest.mark.parametrize(("key", "message", "signature", "valid"), _cases("es384_der"))
def test_wycheproof_es384_in_der(key: str, message: str, signature: str, valid: bool) -> None:
    """Through the one DER reader that X.509 and CRLs use too."""
    public = PublicKey("ES384", bytes.fromhex(key))
    if valid:
        public.verify(der_to_raw(bytes.fromhex(signature), 48), bytes.fromhex(message))
        return
    with pytest.raises(LedgerError) as caught:
        public.verify(der_to_raw(bytes.fromhex(signature), 48), bytes.fromhex(message))
    assert caught.value.code in ("signature.form", "signature.invalid")
    assert isinstance(caught.value, MalformedError) == (caught.value.code == "signature.form")
