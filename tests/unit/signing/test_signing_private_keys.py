"""Private keys as PKCS#8 and SEC 1: every form back and forth, halves that fit, and nothing shown.

What OpenSSL writes and reads is in ``test_signing_openssl``.
"""

import json
from collections.abc import Callable

import pytest
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from cryptography.x509 import ObjectIdentifier
from hypothesis import given
from hypothesis import strategies as st

from signing import (
    ALGORITHM_NAMES,
    Algorithm,
    LedgerError,
    MalformedError,
    MemorySigner,
    PublicKey,
    Secret,
    export_private_key,
    generate_signer,
    parse_private_key,
    parse_public_key,
)
from signing.forms.pem import write_pem
from signing.forms.pkcs8 import _EcPrivateKey, _PrivateKeyInfo
from signing.forms.spki import CURVES, bits_of, identifier_of

_SIGNERS = {name: generate_signer(name, lambda size: b"\x17" * size) for name in ALGORITHM_NAMES}
_SM2 = _SIGNERS["SM2-SM3"]
_OTHERS = {name: generate_signer(name, lambda size: b"\x19" * size) for name in ALGORITHM_NAMES}
_SCALARS = {name: bytes(signer.secret_bytes())[: 48 if name == "ES384" else 32] for name, signer in _SIGNERS.items()}
_CURVES: list[Algorithm] = ["ES256", "ES384", "SM2-SM3"]
_FORMS = ("pem", "der", "jwk")


def _parse(data: bytes) -> MemorySigner:
    return parse_private_key(Secret(data))


def _refused(data: bytes, code: str = "key.form") -> None:
    with pytest.raises(LedgerError) as caught:
        _parse(data)
    assert caught.value.code == code


def _pkcs8(
    name: Algorithm,
    *,
    inner: PublicKey | None = None,
    outer: PublicKey | None = None,
    curve: ObjectIdentifier | None = None,
    version: int = 0,
    ec_version: int = 1,
    scalar: bytes | None = None,
) -> bytes:
    key = scalar if scalar is not None else _SCALARS[name]
    if name == "Ed25519":
        private = asn1.encode_der(key)
    else:
        inner_bits = None if inner is None else bits_of(inner)
        private = asn1.encode_der(_EcPrivateKey(version=ec_version, key=key, curve=curve, public=inner_bits))
    info = _PrivateKeyInfo(
        version=version,
        algorithm=identifier_of(name),
        key=private,
        attributes=None,
        public=None if outer is None else bits_of(outer),
    )
    return asn1.encode_der(info)


@pytest.mark.parametrize("form", _FORMS)
@pytest.mark.parametrize("name", ALGORITHM_NAMES)
def test_round_trip(name: Algorithm, form: str) -> None:
    data = export_private_key(_SIGNERS[name], form=form)
    assert isinstance(data, Secret)
    signer = parse_private_key(data)
    assert signer.public_key == _SIGNERS[name].public_key
    assert signer.secret_bytes() == _SIGNERS[name].secret_bytes()
    signer.public_key.verify(signer.sign(b"m"), b"m")
    assert export_private_key(signer, form=form) == data


@pytest.mark.parametrize("name", ["Ed25519", "ES256", "ES384"])
def test_cryptography_reads_and_writes_the_same(name: Algorithm) -> None:
    der = export_private_key(_SIGNERS[name], form="der")
    theirs = load_der_private_key(der, None)
    assert theirs.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()) == bytes(der)


@pytest.mark.parametrize("name", _CURVES)
def test_the_public_half_may_stand_inside_or_outside(name: Algorithm) -> None:
    public = _SIGNERS[name].public_key
    for data in (
        _pkcs8(name, inner=public),
        _pkcs8(name, outer=public, version=1),
        _pkcs8(name, inner=public, outer=public, version=1),
        _pkcs8(name, inner=public, curve=CURVES[name]),
    ):
        assert _parse(data).public_key == public


@pytest.mark.parametrize("name", _CURVES)
def test_sec1(name: Algorithm) -> None:
    key = _SIGNERS[name].public_key
    info = _EcPrivateKey(version=1, key=_SCALARS[name], curve=CURVES[name], public=bits_of(key))
    label = "SM2 PRIVATE KEY" if name == "SM2-SM3" else "EC PRIVATE KEY"
    parameters = write_pem("EC PARAMETERS", asn1.encode_der(CURVES[name]))
    pem = write_pem(label, asn1.encode_der(info))
    for data in (asn1.encode_der(info), pem, parameters + pem):
        assert _parse(data).public_key == key
    nameless = _EcPrivateKey(version=1, key=_SCALARS[name], curve=None, public=bits_of(key))
    _refused(write_pem(label, asn1.encode_der(nameless)))
    _refused(parameters, "key.form")


def test_without_public_half() -> None:
    for name in ("Ed25519", "ES256", "ES384"):
        assert _parse(_pkcs8(name)).public_key == _SIGNERS[name].public_key
    with pytest.raises(MalformedError, match=r"openssl ec -in OLD -out NEW") as caught:
        _parse(_pkcs8("SM2-SM3"))
    assert caught.value.code == "key.no-public-half"


@pytest.mark.parametrize("name", ALGORITHM_NAMES)
def test_halves_that_do_not_belong_together(name: Algorithm) -> None:
    other, own = _OTHERS[name].public_key, _SIGNERS[name].public_key
    _refused(_pkcs8(name, outer=other, version=1))
    if name != "Ed25519":
        _refused(_pkcs8(name, inner=other))
        _refused(_pkcs8(name, inner=own, outer=other, version=1))
        _refused(_pkcs8(name, inner=other, outer=own, version=1))


def test_other_structures() -> None:
    public = _SIGNERS["ES256"].public_key
    _refused(_pkcs8("ES256", inner=public, version=2))
    _refused(_pkcs8("ES256", inner=public, version=1))
    _refused(_pkcs8("ES256", outer=public, version=0))
    _refused(_pkcs8("ES256", inner=public, version=-1))
    _refused(_pkcs8("ES256", inner=public, ec_version=0))
    _refused(_pkcs8("ES256", inner=public, ec_version=2))
    _refused(_pkcs8("ES256", inner=public, curve=CURVES["SM2-SM3"]))
    _refused(_pkcs8("ES256", inner=_SM2.public_key))
    for name in ALGORITHM_NAMES:
        for scalar in (b"", _SCALARS[name][1:], b"\x00" + _SCALARS[name]):
            _refused(_pkcs8(name, outer=_SIGNERS[name].public_key, version=1, scalar=scalar))
    for name in _CURVES:
        for value in (0, 2**256 - 1 if name != "ES384" else 2**384 - 1):
            scalar = value.to_bytes(len(_SCALARS[name]))
            _refused(_pkcs8(name, outer=_SIGNERS[name].public_key, version=1, scalar=scalar))
    good = _pkcs8("Ed25519")
    for data in (good + b"\x00", good[:-1], b"", b"\x30\x00", b"\x30\x80" + good[2:] + b"\x00\x00", b"\x30" * 999):
        _refused(data)
    _refused(b"\x00" * 16_385, "form.size")


def test_keys_of_other_kinds() -> None:
    rsa_key, p521 = rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP521R1())
    for key in (rsa_key, p521, ec.generate_private_key(ec.SECP256K1())):
        for form in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL):
            _refused(key.private_bytes(Encoding.PEM, form, NoEncryption()), "key.kind")
    with pytest.raises(MalformedError, match="ssh-keygen -p -m PKCS8"):
        _parse(rsa_key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    for label in ("PUBLIC KEY", "CERTIFICATE", "SM9 SIGN MASTER KEY"):
        _refused(write_pem(label, b"\x30\x00"), "key.kind")


def test_rfc8410_examples() -> None:
    """§10.3: one plain, one with attributes and the public key."""
    public = parse_public_key(
        write_pem(
            "PUBLIC KEY",
            bytes.fromhex("302a300506032b657003210019bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1"),
        )
    )
    plain = "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC"
    full = (
        "MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
        "oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrB\n"
        "Z9w7lshQhqowtrbLDFw4rXAxZuE="
    )
    for body in (plain, full):
        pem = f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"
        assert _parse(pem.encode()).public_key == public


@pytest.mark.parametrize("name", ALGORITHM_NAMES)
def test_a_changed_byte_is_another_key_or_none(name: Algorithm) -> None:
    der = bytes(export_private_key(_SIGNERS[name], form="der"))
    for at in range(len(der)):
        changed = der[:at] + bytes([der[at] ^ 1]) + der[at + 1 :]
        try:
            signer = _parse(changed)
        except LedgerError:
            continue
        assert name == "Ed25519"  # the only one without a second half to compare with
        assert signer.public_key != _SIGNERS[name].public_key


@given(st.sampled_from(ALGORITHM_NAMES), st.sampled_from(_FORMS), st.data())
def test_any_noise_in_a_good_file(name: Algorithm, form: str, data: st.DataObject) -> None:
    good = bytes(export_private_key(_SIGNERS[name], form=form))
    start, end = sorted(data.draw(st.tuples(st.integers(0, len(good)), st.integers(0, len(good)))))
    try:
        _parse(good[:start] + data.draw(st.binary(max_size=40)) + good[end:])
    except LedgerError as error:
        shown = f"{error!r} {error} {error.args}"
        assert not any(good[at : at + 12].decode("latin-1") in shown for at in range(len(good) - 12))


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    with pytest.raises(LedgerError):
        _parse(data)


def test_no_error_holds_the_key() -> None:
    jwk = json.loads(export_private_key(_SIGNERS["ES256"], form="jwk"))
    attempts: list[Callable[[], bytes]] = [
        lambda: json.dumps(jwk | {"more": 1}).encode(),
        lambda: json.dumps(jwk | {"y": jwk["x"]}).encode(),
        lambda: json.dumps(jwk | {"d": jwk["d"] + "="}).encode(),
        lambda: json.dumps(jwk | {"d": jwk["d"] * 3}).encode(),
        lambda: write_pem("PRIVATE KEY", _pkcs8("ES256")[:-1]),
        lambda: write_pem("PRIVATE KEY", _pkcs8("SM2-SM3")),
        lambda: _pkcs8("ES256", inner=_OTHERS["ES256"].public_key),
    ]
    for attempt in attempts:
        with pytest.raises(LedgerError) as caught:
            _parse(attempt())
        shown = f"{caught.value!r} {caught.value} {caught.value.args}"
        assert not any(form in shown for form in (jwk["d"][:12], "1717", "\\x17", _SM2.secret_bytes()[:8].hex()))
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__
        frames = [entry.frame.code.name for entry in caught.traceback]
        assert frames[-1] == "parse_private_key"
