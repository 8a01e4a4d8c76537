"""Ed25519, ES256 and ES384: the degenerate keys and signatures that forgers try."""

from collections.abc import Callable

import nacl.bindings
import pytest

from signing import (
    Ed25519Signer,
    Es256Signer,
    Es384Signer,
    MalformedError,
    MemorySigner,
    PublicKey,
    Secret,
    VerificationError,
    ecdsa,
    ed25519,
    sha256,
)

_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_P384_ORDER = ecdsa.ES384.order
_P256_PRIME = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
_ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493

_ONE_OF_EACH: list[MemorySigner] = [
    Ed25519Signer(Secret(b"\x41" * 32)),
    Es256Signer(Secret(b"\x41" * 32)),
    Es384Signer(Secret(b"\x41" * 48)),
]

# All encodings of points of order 1, 2, 4 and 8, canonical or not.
_LOW_ORDER = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
]


@pytest.mark.parametrize("raw", _LOW_ORDER)
def test_low_order_keys_are_no_keys_and_verify_nothing(raw: str) -> None:
    with pytest.raises(MalformedError) as caught:
        PublicKey("Ed25519", bytes.fromhex(raw))
    assert caught.value.code == "key.form"
    for r in _LOW_ORDER:
        assert not ed25519.verifies(bytes.fromhex(raw), bytes.fromhex(r) + bytes(32), b"any message")


def test_mixed_order_key_is_no_key() -> None:
    honest = Ed25519Signer(bytes(32)).public_key.raw
    mixed = nacl.bindings.crypto_core_ed25519_add(honest, bytes.fromhex(_LOW_ORDER[6]))
    with pytest.raises(MalformedError):
        PublicKey("Ed25519", mixed)


def test_ed25519_off_curve_key_is_no_key() -> None:
    with pytest.raises(MalformedError):
        PublicKey("Ed25519", b"\x02" + bytes(31))


@pytest.mark.parametrize("times", [1, 2, 15])
def test_ed25519_non_canonical_s(times: int) -> None:
    signer = Ed25519Signer(bytes(32))
    signature = signer.sign(b"m")
    s = int.from_bytes(signature[32:], "little") + times * _ED25519_ORDER
    with pytest.raises(VerificationError):
        signer.public_key.verify(signature[:32] + s.to_bytes(33, "little")[:32], b"m")


@pytest.mark.parametrize("r", [0, 1, _P256_ORDER - 1, _P256_ORDER, _P256_ORDER + 1, 2**256 - 1])
@pytest.mark.parametrize("s", [0, 1, _P256_ORDER - 1, _P256_ORDER, _P256_ORDER + 1, 2**256 - 1])
def test_es256_degenerate_signatures(r: int, s: int) -> None:
    with pytest.raises(VerificationError):
        Es256Signer(bytes(31) + b"\x01").public_key.verify(r.to_bytes(32) + s.to_bytes(32), b"m")


def test_es256_other_spellings_of_a_good_s() -> None:
    """s + n, and s with fewer or more leading zeros, are refused. The key is made to fit a signature with s = 5."""
    nonce, s, digest = 11, 5, int.from_bytes(sha256(b"m"))
    r = int.from_bytes(Es256Signer(nonce.to_bytes(32)).public_key.raw[:32]) % _P256_ORDER
    scalar = (s * nonce - digest) * pow(r, -1, _P256_ORDER) % _P256_ORDER
    key = Es256Signer(scalar.to_bytes(32)).public_key
    key.verify(r.to_bytes(32) + s.to_bytes(32), b"m")
    for other in ((s + _P256_ORDER).to_bytes(32), s.to_bytes(1), s.to_bytes(31), s.to_bytes(33)):
        with pytest.raises(VerificationError):
            key.verify(r.to_bytes(32) + other, b"m")


def test_es256_is_malleable_so_texts_are_no_identity() -> None:
    signer = Es256Signer(bytes(31) + b"\x07")
    signature = signer.sign(b"m")
    other = signature[:32] + (_P256_ORDER - int.from_bytes(signature[32:])).to_bytes(32)
    signer.public_key.verify(other, b"m")
    assert other != signature


@pytest.mark.parametrize("r", [0, 1, _P384_ORDER - 1, _P384_ORDER, 2**384 - 1])
@pytest.mark.parametrize("s", [0, 1, _P384_ORDER - 1, _P384_ORDER, 2**384 - 1])
def test_es384_degenerate_signatures(r: int, s: int) -> None:
    with pytest.raises(VerificationError):
        _ONE_OF_EACH[2].public_key.verify(r.to_bytes(48) + s.to_bytes(48), b"m")


@pytest.mark.parametrize("signer", _ONE_OF_EACH, ids=lambda signer: signer.public_key.algorithm)
@pytest.mark.parametrize("length", [0, 1, 32, 63, 65, 72, 95, 97, 128, 192])
def test_signatures_of_wrong_length(signer: MemorySigner, length: int) -> None:
    with pytest.raises(VerificationError):
        signer.public_key.verify((signer.sign(b"m") * 2)[:length], b"m")


@pytest.mark.parametrize("algorithm", ["Ed25519", "ES256", "ES384", "SM2-SM3"])
@pytest.mark.parametrize("length", [0, 1, 31, 33, 63, 65, 66, 95, 97, 1000])
def test_keys_of_wrong_length(algorithm: str, length: int) -> None:
    with pytest.raises(MalformedError):
        PublicKey(algorithm, b"\x01" * length)


@pytest.mark.parametrize("algorithm", ["none", "", "HS256", "EdDSA", "ed25519", "ES384", "ES512", "SM2"])
def test_unknown_algorithms(algorithm: str) -> None:
    with pytest.raises(MalformedError):
        PublicKey(algorithm, Ed25519Signer(bytes(32)).public_key.raw)


def test_p256_points_that_are_none() -> None:
    good = Es256Signer(bytes(31) + b"\x01").public_key.raw
    x, y = good[:32], good[32:]
    shifted = (5).to_bytes(32), (_P256_PRIME + 5).to_bytes(32)
    for raw in (
        bytes(64),
        x + x,
        y + x,
        x + bytes(32),
        b"\xff" * 64,
        good[:-1] + bytes([good[-1] ^ 1]),
        shifted[1] + y,
    ):
        with pytest.raises(MalformedError) as caught:
            PublicKey("ES256", raw)
        assert caught.value.code == "key.form"


@pytest.mark.parametrize("scalar", [0, _P256_ORDER, _P256_ORDER + 1, 2**256 - 1])
def test_p256_private_keys_out_of_range(scalar: int) -> None:
    with pytest.raises(MalformedError):
        Es256Signer(scalar.to_bytes(32))


@pytest.mark.parametrize("scalar", [0, _P384_ORDER, _P384_ORDER + 1, 2**384 - 1])
def test_p384_private_keys_out_of_range(scalar: int) -> None:
    with pytest.raises(MalformedError):
        Es384Signer(Secret(scalar.to_bytes(48)))


@pytest.mark.parametrize("kind", [Ed25519Signer, Es256Signer, Es384Signer])
@pytest.mark.parametrize("length", [0, 31, 33, 47, 49, 64])
def test_private_keys_of_wrong_length(kind: Callable[[Secret], MemorySigner], length: int) -> None:
    with pytest.raises(MalformedError):
        kind(b"\x01" * length)


def test_generate_takes_its_bytes_from_the_parameter() -> None:
    assert Ed25519Signer.generate(lambda size: b"\x05" * size).secret_bytes() == b"\x05" * 32
    draws = iter([bytes(32), b"\xff" * 32, b"\x05" * 32])
    assert Es256Signer.generate(lambda size: next(draws)).secret_bytes() == b"\x05" * 32


@pytest.mark.parametrize("signer", _ONE_OF_EACH, ids=lambda signer: signer.public_key.algorithm)
def test_no_private_key_in_repr(signer: MemorySigner) -> None:
    for text in (repr(signer), str(signer), repr(signer.public_key), repr(signer.secret_bytes())):
        assert "AAAA" not in text
        assert "4141" not in text


@pytest.mark.parametrize("one", _ONE_OF_EACH, ids=lambda signer: signer.public_key.algorithm)
def test_a_key_of_one_algorithm_does_not_verify_another(one: MemorySigner) -> None:
    for other in _ONE_OF_EACH:
        if other is not one:
            with pytest.raises(VerificationError):
                one.public_key.verify(other.sign(b"m"), b"m")


def test_es256_has_a_fresh_nonce_each_time() -> None:
    signer = Es256Signer(b"\x41" * 32)
    assert signer.sign(b"m") != signer.sign(b"m")
    assert 0 < int.from_bytes(signer.secret_bytes()) < ecdsa.ES256.order
