"""Public keys as SubjectPublicKeyInfo: one spelling for each key, and a clear word about every other kind."""

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x448, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from signing import (
    ALGORITHM_NAMES,
    Algorithm,
    MalformedError,
    PublicKey,
    export_public_key,
    generate_signer,
    parse_public_key,
)
from signing.forms.pem import write_pem
from signing.forms.spki import parse_spki, spki_der

_KEYS = {name: generate_signer(name, lambda size: b"\x17" * size).public_key for name in ALGORITHM_NAMES}
_SIZES = {"Ed25519": 44, "ES256": 91, "ES384": 120, "SM2-SM3": 91}
_SM2_PREFIX = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d03420004")


@pytest.mark.parametrize("name", ALGORITHM_NAMES)
def test_round_trip(name: Algorithm) -> None:
    key = _KEYS[name]
    assert parse_spki(spki_der(key)) == key
    assert len(spki_der(key)) == _SIZES[name]
    for form in ("pem", "der", "jwk"):
        assert parse_public_key(export_public_key(key, form=form)) == key


def test_sm2_is_the_prefix_of_the_standard_and_the_point() -> None:
    assert spki_der(_KEYS["SM2-SM3"]) == _SM2_PREFIX + _KEYS["SM2-SM3"].raw


@pytest.mark.parametrize("name", ["Ed25519", "ES256", "ES384"])
def test_cryptography_writes_the_same(name: Algorithm) -> None:
    raw = _KEYS[name].raw
    theirs = {
        "Ed25519": lambda: ed25519.Ed25519PublicKey.from_public_bytes(raw),
        "ES256": lambda: ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + raw),
        "ES384": lambda: ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP384R1(), b"\x04" + raw),
    }[name]()
    assert theirs.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == spki_der(_KEYS[name])
    assert theirs.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo) == export_public_key(
        _KEYS[name], form="pem"
    )


_OTHER_KEYS = {
    "an RSA key": lambda: rsa.generate_private_key(65537, 2048),
    "a DSA key": lambda: dsa.generate_private_key(2048),
    "an X25519 key": x25519.X25519PrivateKey.generate,
    "an X448 key": x448.X448PrivateKey.generate,
    "an Ed448 key": ed448.Ed448PrivateKey.generate,
    "secp256k1": lambda: ec.generate_private_key(ec.SECP256K1()),
    "P-224": lambda: ec.generate_private_key(ec.SECP224R1()),
    "P-521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "OID 1.3.36.3.3.2.8.1.1.7": lambda: ec.generate_private_key(ec.BrainpoolP256R1()),
}


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@pytest.mark.parametrize("what", _OTHER_KEYS)
def test_keys_of_other_kinds(what: str) -> None:
    der = _OTHER_KEYS[what]().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for data in (der, write_pem("PUBLIC KEY", der)):
        with pytest.raises(MalformedError) as caught:
            parse_public_key(data)
        assert caught.value.code == "key.kind"
        assert what in str(caught.value)
        assert "accepted are Ed25519, P-256, P-384 and SM2" in str(caught.value)


def _spki(name: Algorithm, bits: bytes) -> bytes:
    """With another BIT STRING: first byte the unused bits."""
    whole = spki_der(_KEYS[name])
    algorithm = whole[2 : 4 + whole[3]]
    body = algorithm + b"\x03" + bytes([len(bits)]) + bits
    return b"\x30" + bytes([len(body)]) + body


_RAW = {name: key.raw for name, key in _KEYS.items()}
_ED, _P256 = spki_der(_KEYS["Ed25519"]), spki_der(_KEYS["ES256"])
_P256_OID, _P384_OID = bytes.fromhex("06082a8648ce3d030107"), bytes.fromhex("06052b81040022")


_OTHER_SPELLINGS = [
    (_spki("ES256", b"\x00\x02" + _RAW["ES256"][:32]), "key.kind"),
    (_spki("ES384", b"\x00\x03" + _RAW["ES384"][:48]), "key.kind"),
    (_spki("SM2-SM3", b"\x00\x02" + _RAW["SM2-SM3"][:32]), "key.kind"),
    (_spki("ES256", b"\x00\x06" + _RAW["ES256"]), "key.form"),
    (_spki("ES256", b"\x00\x07" + _RAW["ES256"]), "key.form"),
    (_spki("ES256", b"\x00\x04" + _RAW["ES256"][:-1]), "key.form"),
    (_spki("ES256", b"\x00" + _RAW["ES256"]), "key.form"),
    (_spki("ES256", b"\x00\x00"), "key.form"),
    (_spki("ES256", b"\x00"), "key.form"),
    (_spki("ES256", b"\x04\x04" + _RAW["ES256"][:-1] + b"\x50"), "key.form"),
    (_spki("ES256", b"\x00\x04" + _RAW["SM2-SM3"]), "key.form"),
    (_spki("SM2-SM3", b"\x00\x04" + _RAW["ES256"]), "key.form"),
    (_spki("SM2-SM3", b"\x00\x04" + bytes(64)), "key.form"),
    (_spki("Ed25519", b"\x00" + bytes(32)), "key.form"),
    (_spki("Ed25519", b"\x00" + b"\x01" + bytes(31)), "key.form"),
    (_spki("Ed25519", b"\x00\x04" + _RAW["Ed25519"]), "key.form"),
    (_P256.replace(_P256_OID, bytes.fromhex("06082a8648ce3d030101")), "key.kind"),
    (b"\x30\x56" + b"\x30\x10" + _P256[4:13] + _P384_OID + _P256[23:], "key.form"),
    (b"\x30\x2c\x30\x07" + _ED[4:9] + b"\x05\x00" + _ED[9:], "key.form"),
    (b"\x30\x4f\x30\x09" + _P256[4:13] + _P256[23:], "key.form"),
    (b"\x30\x51\x30\x0b" + _P256[4:13] + b"\x05\x00" + _P256[23:], "key.form"),
    (b"\x30\x81\x59" + _P256[2:], "key.form"),
    (_P256 + b"\x00", "key.form"),
    (_P256[:-1], "key.form"),
    (_P256[2:], "key.form"),
    (b"", "key.form"),
    (b"\x30\x00", "key.form"),
    (b"\x30\x04\x30\x00\x03\x00", "key.form"),
    (b"\x30\x80" + _P256[2:] + b"\x00\x00", "key.form"),
    (b"\x30" * 1000, "key.form"),
    (b"\x00" * 5000, "form.size"),
    (b"\x00" * 20_000, "form.size"),
]


@pytest.mark.parametrize(("der", "code"), _OTHER_SPELLINGS, ids=range(len(_OTHER_SPELLINGS)))
def test_other_spellings(der: bytes, code: str) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_public_key(der)
    assert caught.value.code == code


@pytest.mark.parametrize("name", ALGORITHM_NAMES)
def test_a_changed_byte_is_another_key_or_none(name: Algorithm) -> None:
    der = spki_der(_KEYS[name])
    for at in range(len(der)):
        for bit in (0x01, 0x20, 0x80):
            changed = der[:at] + bytes([der[at] ^ bit]) + der[at + 1 :]
            try:
                key = parse_spki(changed)
            except MalformedError:
                continue
            assert key != _KEYS[name]
            assert spki_der(key) == changed


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    for attempt in (parse_public_key, parse_spki):
        try:
            key = attempt(data)
        except MalformedError:
            continue
        assert isinstance(key, PublicKey)


@given(st.sampled_from(ALGORITHM_NAMES), st.data())
def test_any_noise_in_a_good_file(name: Algorithm, data: st.DataObject) -> None:
    der = spki_der(_KEYS[name])
    start, end = sorted(data.draw(st.tuples(st.integers(0, len(der)), st.integers(0, len(der)))))
    changed = der[:start] + data.draw(st.binary(max_size=40)) + der[end:]
    try:
        key = parse_spki(changed)
    except MalformedError:
        return
    assert spki_der(key) == changed


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("PRIVATE KEY", "a private key"),
        ("ENCRYPTED PRIVATE KEY", "a private key"),
        ("CERTIFICATE", "a certificate"),
        ("RSA PUBLIC KEY", "an RSA key"),
        ("SSH2 PUBLIC KEY", "PEM labelled 'SSH2 PUBLIC KEY'"),
    ],
)
def test_pem_of_other_things(label: str, said: str) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_public_key(write_pem(label, _P256))
    assert caught.value.code == "key.kind"
    assert said in str(caught.value)


def test_two_keys_in_a_file() -> None:
    with pytest.raises(MalformedError, match="not exactly one key"):
        parse_public_key(2 * export_public_key(_KEYS["ES256"], form="pem"))
