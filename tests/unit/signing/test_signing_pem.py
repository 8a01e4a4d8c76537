"""PEM armour: what programs write is read, and nothing that leaves a doubt about its bytes."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from signing import MalformedError
from signing.forms.pem import PemBlock, is_pem, parse_pem, write_pem

_DER = bytes(range(100))
_PEM = write_pem("PUBLIC KEY", _DER)
_LINES = _PEM.splitlines(keepends=True)


def _parse(data: bytes, max_blocks: int = 2) -> tuple[PemBlock, ...]:
    return parse_pem(data, what="file", max_bytes=4096, max_blocks=max_blocks)


@given(st.binary(min_size=1, max_size=300))
def test_round_trip(der: bytes) -> None:
    assert _parse(write_pem("A B1", der)) == (PemBlock("A B1", der),)


def test_written_as_others_write_it() -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert write_pem("PUBLIC KEY", der) == key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    "data",
    [
        _PEM.replace(b"\n", b"\r\n"),
        _PEM.rstrip(),
        b"\n\n" + _PEM + b"\n\n",
        b"Bag Attributes\n    friendlyName: \xe5\x8d\xb0\nsubject=CN=x\n" + _PEM + b"the end\n",
        b"".join([_LINES[0], b"".join(_LINES[1:-1]).replace(b"\n", b"") + b"\n", _LINES[-1]]),
    ],
)
def test_accepted(data: bytes) -> None:
    assert is_pem(data)
    assert _parse(data) == (PemBlock("PUBLIC KEY", _DER),)


def test_several_blocks() -> None:
    other = write_pem("EC PARAMETERS", b"x")
    assert [block.label for block in _parse(other + _PEM)] == ["EC PARAMETERS", "PUBLIC KEY"]
    with pytest.raises(MalformedError, match="more than 1"):
        _parse(other + _PEM, max_blocks=1)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "form.pem"),
        (b"no PEM", "form.pem"),
        (_LINES[0] + _LINES[-1], "form.pem"),
        (b"".join(_LINES[:-1]), "form.pem"),
        (b"".join(_LINES[1:]), "form.pem"),
        (_PEM + b"".join(_LINES[:-1]), "form.pem"),
        (_PEM + b"-----BEGIN PUBLIC KEY-----\n", "form.pem"),
        (_PEM.replace(b"END PUBLIC", b"END PRIVATE"), "form.pem"),
        (_PEM.replace(b"PUBLIC", b"public"), "form.pem"),
        (_PEM.replace(b"-----BEGIN", b"----BEGIN"), "form.pem"),
        (_PEM.replace(b"-----BEGIN", b" -----BEGIN"), "form.pem"),
        (_PEM.replace(b"KEY-----\n", b"KEY-----\nProc-Type: 4,ENCRYPTED\n\n", 1), "form.pem"),
        (_PEM.replace(b"KEY-----\n", b"KEY-----\n\n", 1), "form.pem"),
        (_PEM.replace(b"-----\n", b"----- \n"), "form.pem"),
        (_PEM.replace(b"A", b"-"), "form.pem"),
        (_PEM.replace(b"A", b" "), "form.pem"),
        (_PEM.replace(b"\n", b"\r"), "form.pem"),
        (_PEM.replace(b"A", b"=", 1), "form.base64"),
        (_PEM.replace(b"=", b"", 1), "form.base64"),
        (_PEM.replace(b"Yw==", b"Yx=="), "form.base64"),
        (b"\n" * 4097, "form.size"),
        (_PEM * 30, "form.size"),
    ],
    ids=lambda value: repr(value[:24]) if isinstance(value, bytes) else value,
)
def test_refused(data: bytes, code: str) -> None:
    with pytest.raises(MalformedError) as caught:
        _parse(data)
    assert caught.value.code == code


def test_what_is_inside_shows_in_no_repr() -> None:
    assert repr(_parse(_PEM)[0]) == "PemBlock(label='PUBLIC KEY')"


def test_hostile_text_is_read_in_linear_time() -> None:
    for unit in (b"-----BEGIN A-----\n", b"-----BEGIN A-----\nAAAA\n", b"AAAA\n", b"-----", b"A" * 64 + b"\n"):
        data = (b"-----BEGIN A-----\n" + unit * (2_000_000 // len(unit)))[:2_000_000]
        with pytest.raises(MalformedError):
            parse_pem(data, what="file", max_bytes=2_000_000, max_blocks=2)


@given(st.binary(max_size=200), st.integers(0, len(_PEM)))
def test_any_bytes(noise: bytes, at: int) -> None:
    try:
        blocks = _parse(_PEM[:at] + noise + _PEM[at:])
    except MalformedError:
        return
    assert all(_parse(write_pem(block.label, block.der)) == (block,) for block in blocks)
