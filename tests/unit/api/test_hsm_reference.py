"""The public file of a key in an HSM: one spelling, nothing else; and what a keyring makes of it without the token."""

import json
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from anchors.account import MemoryAccount
from api.keys.hsm_reference import MAX_BYTES, HsmReference, parse_reference, read_reference
from api.keys.keyring import Keyring
from signing import (
    Ed25519Signer,
    Es256Signer,
    Es384Signer,
    LedgerError,
    MalformedError,
    PublicKey,
    Secret,
    UnavailableError,
    b64url_encode,
)

SECRET = Secret(b"\x07" * 32)
ED25519, ES256 = Ed25519Signer(SECRET).public_key, Es256Signer(SECRET).public_key
ES384 = Es384Signer(Secret(b"\x07" * 48)).public_key
POINT = MemoryAccount(SECRET).public_point
REFERENCES = [
    HsmReference("Ed25519", "home.log.0a0b0c0d", ED25519),
    HsmReference("ES256", "uscc:11310110MB9F000199.issue.0a0b0c0d", ES256),
    HsmReference("ES384", "a label, 标签", ES384),
    HsmReference("secp256k1", "home.anchor.0a0b0c0d", POINT),
]
GOOD = REFERENCES[1].format()


def changed(**members: Any) -> bytes:
    value = json.loads(GOOD) | members
    return (json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n").encode()


def point(**members: str) -> dict[str, str]:
    half = b64url_encode(POINT[:32]), b64url_encode(POINT[32:])
    return {"crv": "secp256k1", "kty": "EC", "x": half[0], "y": half[1]} | members


@pytest.mark.parametrize("reference", REFERENCES, ids=lambda reference: reference.kind)
def test_round_trip(reference: HsmReference) -> None:
    data = reference.format()
    assert parse_reference(data) == reference
    assert data.endswith(b"}\n")
    assert SECRET not in data


def test_known_bytes() -> None:
    assert REFERENCES[0].format().decode() == (
        '{"kind":"Ed25519","label":"home.log.0a0b0c0d","public":{"alg":"Ed25519","crv":"Ed25519","kty":"OKP",'
        '"x":"6kpsY-KcUgq-9VB7Ey7F-ZVHdq6-vnuSQh7qaRRG0iw"},"version":"ematerials/hsmkey/v1"}\n'
    )


def test_the_address_is_that_of_the_account() -> None:
    assert REFERENCES[3].address is not None
    assert REFERENCES[3].address.hex() == Account.from_key(SECRET).address[2:].lower()
    assert REFERENCES[0].address is None


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "form.json"),
        (b"[]\n", "form.type"),
        (GOOD[:-1], "form.canonical"),
        (GOOD + b"\n", "form.canonical"),
        (GOOD.replace(b":", b": ", 1), "form.canonical"),
        (GOOD.replace(b'{"kind"', b'{"kind":"ES256","kind"'), "form.json"),
        (b" " * (MAX_BYTES + 1), "form.size"),
        (changed(version="ematerials/hsmkey/v2"), "form.version"),
        (changed(pin="1234"), "form.member"),
        (changed(kind="SM2-SM3"), "keyfile.kind"),
        (changed(kind="secret"), "keyfile.kind"),
        (changed(kind="Ed25519"), "keyfile.kind"),
        (changed(kind=1), "form.type"),
        (changed(label=""), "form.type"),
        (changed(label="x" * 256), "form.size"),
        (changed(public=point()), "form.member"),
        (changed(public=None), "form.type"),
        (changed(kind="secp256k1"), "form.member"),
        (changed(kind="secp256k1", public=point(crv="P-256")), "key.form"),
        (changed(kind="secp256k1", public=point(kty="OKP")), "key.form"),
        (changed(kind="secp256k1", public=point(x="AA")), "key.form"),
        (changed(kind="secp256k1", public=point(x=b64url_encode(b"\x01" * 32))), "key.form"),
        (changed(kind="secp256k1", public=point(y="A" * 44)), "form.size"),
    ],
)
def test_what_is_no_reference(data: bytes, code: str) -> None:
    with pytest.raises(MalformedError) as raised:
        parse_reference(data)
    assert raised.value.code == code


@pytest.mark.parametrize("reference", REFERENCES, ids=lambda reference: reference.kind)
def test_every_changed_byte_is_refused_or_another_reference(reference: HsmReference) -> None:
    data = reference.format()
    for number in range(len(data)):
        mutated = data[:number] + bytes([data[number] ^ 1]) + data[number + 1 :]
        try:
            assert parse_reference(mutated).format() == mutated
        except LedgerError:
            continue


def test_files_that_are_not_there_or_not_readable(tmp_path: Path) -> None:
    assert read_reference(tmp_path / "none.hsm") is None
    with pytest.raises(UnavailableError) as raised:
        read_reference(tmp_path)
    assert raised.value.code == "keyfile.missing"


def test_a_keyring_knows_the_public_side_without_the_token(tmp_path: Path) -> None:
    (tmp_path / "home.log.hsm").write_bytes(REFERENCES[0].format())
    (tmp_path / "home.anchor.hsm").write_bytes(REFERENCES[3].format())
    keyring = Keyring(tmp_path, Secret(b"a passphrase"))
    assert keyring.names() == ["home.anchor", "home.log"]
    assert keyring.public_key("home.log") == ED25519
    facts = keyring.facts("home.anchor")
    assert (facts.public_key, facts.address, facts.label) == (None, REFERENCES[3].address, "home.anchor.0a0b0c0d")
    for use in (lambda: keyring.signer("home.log"), lambda: keyring.account("home.anchor")):
        with pytest.raises(UnavailableError) as raised:
            use()
        assert raised.value.code == "hsm.not-configured"
    with pytest.raises(MalformedError) as exists:
        keyring.create("home.log", "Ed25519")
    assert exists.value.code == "keyfile.exists"


def test_names_of_successors(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path, Secret(b"a passphrase"))
    keyring.create("uscc:11310110MB9F000199.issue", "ES256")
    first = keyring.public_key("uscc:11310110MB9F000199.issue")
    made = keyring.create_next("uscc:11310110MB9F000199.issue", "Ed25519")
    further = keyring.create_next(made, "ES384")
    successor: PublicKey = keyring.public_key(made)
    assert made == f"uscc:11310110MB9F000199.issue.{successor.key_id}"
    assert further.startswith("uscc:11310110MB9F000199.issue.")
    assert len(further) == len(made)
    keyring.create("party.with_underscore", "Ed25519")
    assert keyring.names()[0] == "party.with_underscore"
    assert keyring.names()[1:] == sorted([made, further, "uscc:11310110MB9F000199.issue"])
    for name in (made, further, "uscc:11310110MB9F000199.issue"):
        assert keyring.find(name, first.key_id) == "uscc:11310110MB9F000199.issue"
        assert keyring.find(name, successor.key_id) == made
    assert keyring.find("uscc:11310110MB9F000199.status", first.key_id) is None
