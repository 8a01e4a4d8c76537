"""Verifier keys (vkeys): published ones, names, and every changed character."""

import json
from pathlib import Path

import pytest

from signing import Ed25519Signer, Es256Signer, MalformedError, MlDsa44Signer, NoteKey, Secret, b64_encode

_VECTORS = Path(__file__).parents[2] / "vectors"
_NOTES = json.loads((_VECTORS / "signed_notes.json").read_text(encoding="utf-8"))
_VKEYS = [
    *json.loads((_VECTORS / "signing_standards.json").read_text())["vkeys"],
    *({"vkey": vkey, "type": 1} for vkey in _NOTES["go"]["vkeys"]),
    {"vkey": _NOTES["go"]["unknown_vkey"], "type": 0x65},
    {"vkey": _NOTES["checkpoint"]["sm2"]["vkey"], "type": 0xFF},
    {"vkey": _NOTES["checkpoint"]["ml_dsa_44"]["vkey"], "type": 6},
]
_RAW = Ed25519Signer(b"\x01" * 32).public_key.raw
_BAD_NAMES = [
    "", " ", "a b", "a+b", "+", "a\tb", "a\nb", "a\rb", "a\x00b", "a\x1fb", "a\x7fb", "a\x85b", "a\u00a0b",
    "a\u1680b", "a\u2003b", "a\u2028b", "a\u2029b", "a\u202fb", "a\u205fb", "a\u3000b", "\u3000", "a\u200bb",
    "a\u202eb", "a\ufeffb", "a\ud800b", "a" * 256, "电" * 86,
]  # fmt: skip


@pytest.mark.parametrize("vector", _VKEYS, ids=lambda vector: vector["vkey"][:40])
def test_published_vkeys(vector: dict) -> None:
    key = NoteKey.parse(vector["vkey"])
    assert key.type == vector["type"]
    assert key.format() == vector["vkey"]


@pytest.mark.parametrize(
    "name", ["a", "example.gov/licences", "电子证照.上海", "a" * 255, "电" * 85, "—", "=", "a-b_c~!"]
)
def test_names(name: str) -> None:
    key = NoteKey.ed25519(name, _RAW)
    assert NoteKey.parse(key.format()) == key


@pytest.mark.parametrize("name", _BAD_NAMES, ids=ascii)
def test_bad_names(name: str) -> None:
    with pytest.raises(MalformedError) as caught:
        NoteKey.ed25519(name, _RAW)
    assert caught.value.code == "note.name"
    with pytest.raises(MalformedError):
        NoteKey.parse(f"{name}+24b744e9+{b64_encode(bytes([1]) + _RAW)}")


def test_split_at_the_first_two_plus_signs_only() -> None:
    for number in range(1000):
        key = NoteKey("example.org/log", 0xFF, number.to_bytes(8) + b"\xfb\xef\xbe")
        assert NoteKey.parse(key.format()) == key
    assert key.format().count("+") > 2


@pytest.mark.parametrize("vkey", [vector["vkey"] for vector in _VKEYS], ids=lambda vkey: vkey[:40])
def test_every_changed_character_and_every_part_is_refused(vkey: str) -> None:
    for at in range(len(vkey)):
        for changed in (vkey[:at], vkey[at + 1 :], vkey[:at] + vkey[at + 1 :], vkey[:at] + vkey[at] + vkey[at:]):
            with pytest.raises(MalformedError):
                NoteKey.parse(changed)
        for char in {chr(ord(vkey[at]) ^ 1), chr(ord(vkey[at]) ^ 0x20), "+", " ", "A", "=", "\n"} - {vkey[at]}:
            with pytest.raises(MalformedError):
                NoteKey.parse(vkey[:at] + char + vkey[at + 1 :])


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "+",
        "++",
        "a+b+c",
        "name",
        "example.gov/licences+24B744E9+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c",
        "example.gov/licences+24b744e+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c",
        "example.gov/licences+24b744e9+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c\n",
        "example.gov/licences+00000000+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c",
        "example.gov/licences+24b744e9+",
        "example.gov/licences+24b744e9+AQ==",
        "x" * 100_000_000,
        "+" * 1_000_000,
        "x+" + "A" * 5000,
        *_NOTES["go"]["bad_vkeys"],
    ],
    ids=lambda vkey: vkey[:24],
)
def test_other_texts(vkey: str) -> None:
    with pytest.raises(MalformedError):
        NoteKey.parse(vkey)


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        (1, b""),
        (4, b""),
        (1, _RAW[:-1]),
        (1, _RAW + b"\x00"),
        (1, bytes(32)),
        (1, b"\x01" + bytes(31)),
        (256, _RAW),
        (-1, _RAW),
        (4, _RAW[:-1]),
        (4, _RAW + b"\x00"),
        (4, bytes(32)),
        (4, b"\x01" + bytes(31)),
        (6, b""),
        (6, _RAW),
        (6, bytes(1311)),
        (6, bytes(1313)),
    ],
    ids=range(16),
)
def test_keys_that_are_none(kind: int, raw: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        NoteKey("a", kind, raw)
    assert caught.value.code == "note.vkey"


def test_keys_of_signers() -> None:
    ed25519 = Ed25519Signer(Secret(b"\x01" * 32)).public_key
    assert NoteKey.of("a", ed25519) == NoteKey.ed25519("a", ed25519.raw)
    with pytest.raises(MalformedError) as caught:
        NoteKey.of("a", Es256Signer(Secret(b"\x01" * 32)).public_key)
    assert caught.value.code == "note.key"
    pq = MlDsa44Signer(Secret(bytes(32)))
    for key in (NoteKey("a", 6, pq.raw), NoteKey("a", 0xFF, b"x"), NoteKey("a", 2, _RAW)):
        with pytest.raises(MalformedError) as caught:
            key.cosigner()
        assert caught.value.code == "note.key"


def test_which_types_are_verified() -> None:
    raw = dict.fromkeys(range(256), _RAW) | {6: MlDsa44Signer(Secret(bytes(32))).raw}
    assert [kind for kind in raw if NoteKey("a", kind, raw[kind]).is_verifiable] == [1, 4, 6]
