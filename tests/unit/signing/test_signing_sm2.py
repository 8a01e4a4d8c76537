"""SM2 with SM3: signer IDs, degenerate keys and signatures, gmalg as a second implementation, and without the extra.

The standard's own numbers are in ``test_signing_vectors``, OpenSSL in ``test_signing_openssl``.
"""

import json
import subprocess
import sys
from pathlib import Path

import gmalg
import gmalg.sm2
import pytest
from gmalg.sm3 import SM3

from signing import MalformedError, PublicKey, Secret, Sm2Signer, VerificationError, generate_signer, sm2
from signing.dss import raw_to_der

_ROOT = Path(__file__).parents[3]
_VECTOR = json.loads((_ROOT / "tests/vectors/signing_standards.json").read_text())["sm2"]
_SCALAR, _RAW = Secret(bytes.fromhex(_VECTOR["scalar"])), bytes.fromhex(_VECTOR["key"])
_NONCE, _SIGNATURE = int(_VECTOR["nonce"], 16), bytes.fromhex(_VECTOR["signature"])
_SIGNER = Sm2Signer(Secret(_SCALAR + _RAW))
_KEY = _SIGNER.public_key
_MESSAGE = "电子证照".encode()
_PRIME = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
_OTHER_ID = b"ALICE123@YAHOO.COM"


def _refused(signature: bytes, message: bytes = _MESSAGE) -> None:
    with pytest.raises(VerificationError) as caught:
        _KEY.verify(signature, message)
    assert caught.value.code == "signature.invalid"


def test_signs_with_the_default_id() -> None:
    signature = _SIGNER.sign(_MESSAGE)
    _KEY.verify(signature, _MESSAGE)
    assert sm2.verifies(_RAW, signature, _MESSAGE, signer_id=b"1234567812345678")
    assert len(signature) == 64
    assert _SIGNER.sign(_MESSAGE) != signature


def test_another_id_is_another_signature() -> None:
    signature = sm2.sign(_SCALAR, _RAW, _MESSAGE, signer_id=_OTHER_ID)
    _refused(signature)
    assert sm2.verifies(_RAW, signature, _MESSAGE, signer_id=_OTHER_ID)
    assert not sm2.verifies(_RAW, _SIGNER.sign(_MESSAGE), _MESSAGE, signer_id=_OTHER_ID)


@pytest.mark.parametrize("length", [0, 8192, 100_000])
def test_ids_that_cannot_be(length: int) -> None:
    for attempt in (
        lambda: sm2.sign(_SCALAR, _RAW, _MESSAGE, signer_id=b"i" * length),
        lambda: sm2.verifies(_RAW, _SIGNATURE, _MESSAGE, signer_id=b"i" * length),
    ):
        with pytest.raises(MalformedError) as caught:
            attempt()
        assert caught.value.code == "signature.signer-id"


def test_the_longest_id() -> None:
    longest = b"i" * 8191
    assert sm2.verifies(_RAW, sm2.sign(_SCALAR, _RAW, _MESSAGE, signer_id=longest), _MESSAGE, signer_id=longest)


@pytest.mark.parametrize("r", [0, 1, sm2.ORDER - 1, sm2.ORDER, sm2.ORDER + 1, 2**256 - 1])
@pytest.mark.parametrize("s", [0, 1, sm2.ORDER - 1, sm2.ORDER, sm2.ORDER + 1, 2**256 - 1])
def test_degenerate_signatures(r: int, s: int) -> None:
    _refused(r.to_bytes(32) + s.to_bytes(32))


def test_r_and_s_that_add_up_to_n() -> None:
    """t = (r + s) mod n = 0 would make the key vanish from the equation (GB/T 32918.2 §7.1 B5)."""
    _refused(_SIGNATURE[:32] + (sm2.ORDER - int.from_bytes(_SIGNATURE[:32])).to_bytes(32), b"message digest")


def test_other_spellings_of_a_good_signature() -> None:
    r, s = _SIGNATURE[:32], _SIGNATURE[32:]
    der = raw_to_der(_SIGNATURE)
    negated = (sm2.ORDER - int.from_bytes(s)).to_bytes(32)
    for other in (s + r, r + negated, _SIGNATURE + b"\x00", b"\x00" + _SIGNATURE, r, b"", der, b"\x04" + _SIGNATURE):
        _refused(other, b"message digest")


def test_points_that_are_none() -> None:
    x, y = _RAW[:32], _RAW[32:]
    for raw in (
        bytes(64),
        b"\xff" * 64,
        y + x,
        x + bytes(32),
        _RAW[:-1] + bytes([_RAW[-1] ^ 1]),
        b"\x04" + _RAW,
        b"\x04" + _RAW[:-1],
        _RAW[:32],
        (_PRIME + 5).to_bytes(32) + y,
        x + _PRIME.to_bytes(32),
        Sm2OnP256,
    ):
        with pytest.raises(MalformedError) as caught:
            PublicKey("SM2-SM3", raw)
        assert caught.value.code == "key.form"


Sm2OnP256 = generate_signer("ES256", lambda size: b"\x05" * size).public_key.raw


def test_coordinates_beyond_p() -> None:
    """x + p is the same point on the curve, in a second spelling. x is small enough for it to fit in 32 bytes."""
    x, y = next(
        (x, y)
        for x in range(1, 100)
        if pow(y := pow(square := (x**3 - 3 * x + _B) % _PRIME, (_PRIME + 1) // 4, _PRIME), 2, _PRIME) == square
    )
    assert PublicKey("SM2-SM3", x.to_bytes(32) + y.to_bytes(32))
    with pytest.raises(MalformedError):
        PublicKey("SM2-SM3", (x + _PRIME).to_bytes(32) + y.to_bytes(32))


_B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93


@pytest.mark.parametrize("scalar", [0, sm2.ORDER - 1, sm2.ORDER, sm2.ORDER + 1, 2**256 - 1])
def test_private_keys_out_of_range(scalar: int) -> None:
    """n − 1 too: 1 + d must have an inverse."""
    with pytest.raises(MalformedError) as caught:
        Sm2Signer(Secret(scalar.to_bytes(32) + _RAW))
    assert caught.value.code == "key.form"


def test_halves_that_do_not_belong_together() -> None:
    other = generate_signer("SM2-SM3", bytes).public_key.raw
    mirrored = _RAW[:32] + (_PRIME - int.from_bytes(_RAW[32:])).to_bytes(32)
    for raw in (other, mirrored, bytes(64), _RAW[:-1], _RAW + b"\x00", b""):
        with pytest.raises(MalformedError) as caught:
            Sm2Signer(Secret(_SCALAR + raw))
        assert caught.value.code == "key.form"
        assert _VECTOR["scalar"] not in str(caught.value).lower()


def test_keys_differ_and_show_nothing() -> None:
    one, other = generate_signer("SM2-SM3", bytes), generate_signer("SM2-SM3", bytes)
    assert one.public_key != other.public_key
    assert one.secret_bytes()[:32].hex() not in f"{one!r} {one} {vars(type(one))}"
    assert Sm2Signer(one.secret_bytes()).public_key == one.public_key


def test_gmalg_derives_the_same_public_key() -> None:
    signer = generate_signer("SM2-SM3", bytes)
    assert gmalg.SM2().generate_pk(bytes(signer.secret_bytes()[:32]))[1:] == signer.public_key.raw


def test_gmalg_reads_ours_and_we_read_its() -> None:
    theirs = gmalg.SM2(bytes(_SCALAR), b"1234567812345678", b"\x04" + _RAW)
    r, s = theirs.sign(_MESSAGE)
    _KEY.verify(r.rjust(32, b"\0") + s.rjust(32, b"\0"), _MESSAGE)
    ours = _SIGNER.sign(_MESSAGE)
    assert theirs.verify(_MESSAGE, ours[:32], ours[32:])
    assert not theirs.verify(_MESSAGE + b"!", ours[:32], ours[32:])


def _gmalg_signature(message: bytes, signer_id: bytes) -> bytes:
    """Over ``message`` with the standard's nonce."""
    core = gmalg.sm2.SM2Core(gmalg.sm2._ecdlp, SM3(), lambda _: _NONCE)
    r, s = core.sign(message, int.from_bytes(_SCALAR), signer_id)
    return r.to_bytes(32) + s.to_bytes(32)


def test_gmalg_makes_the_signature_of_the_standard() -> None:
    assert _gmalg_signature(b"message digest", b"1234567812345678") == _SIGNATURE


@pytest.mark.parametrize("signer_id", [b"", _OTHER_ID, b"1234567812345678\x00", b"123456781234567"])
def test_gmalg_s_signatures_under_another_id(signer_id: bytes) -> None:
    _refused(_gmalg_signature(b"message digest", signer_id), b"message digest")


_WITHOUT_THE_EXTRA = """
import sys
sys.modules["gmssl_pyx"] = None
import signing

key = signing.PublicKey.from_jwk({jwk})
assert key.algorithm == "SM2-SM3" and key.key_id == {key_id!r}
assert signing.parse_public_key(signing.export_public_key(key, form="pem")) == key
attempts = (
    lambda: key.verify(bytes(64), b"m"),
    lambda: signing.generate_signer("SM2-SM3", bytes),
    lambda: signing.Sm2Signer(signing.Secret({pair!r})),
)
for attempt in attempts:
    try:
        attempt()
    except signing.UnavailableError as error:
        print(error.code, error)
signing.Es384Signer(signing.Secret(bytes(47) + b"1")).sign(b"m")
"""


def test_without_the_extra() -> None:
    code = _WITHOUT_THE_EXTRA.format(jwk=_KEY.to_jwk(), key_id=_KEY.key_id, pair=bytes(_SCALAR + _RAW))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=_ROOT)
    line = "extra.gm SM2 needs the extra 'gm': pip install 'ematerials[gm]'"
    assert done.stdout.splitlines() == [line] * 3
    assert done.stderr == ""
