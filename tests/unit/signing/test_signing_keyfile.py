"""Encrypted key files: round trip, every changed byte, hostile costs, and the file itself."""

import json
import os
import stat
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from signing import (
    ALGORITHM_NAMES,
    Algorithm,
    LedgerError,
    MalformedError,
    Secret,
    UnavailableError,
    VerificationError,
    b64_encode,
    dump_json,
    generate_signer,
)
from signing.keyfile import open_key_file, open_secret, read_key_file, seal_secret, signer_of, write_key_file

_PASSPHRASE = Secret("长的口令".encode())
_SECRET = Secret(b"\x41" * 32)


def _seal(secret: bytes = _SECRET, *, kind: str = "Ed25519", log_n: int = 10) -> bytes:
    return seal_secret(Secret(secret), _PASSPHRASE, kind=kind, random_bytes=os.urandom, log_n=log_n)


# Always the same file: what it holds shows in the names of tests, which must not change from run to run.
_FILE = seal_secret(_SECRET, _PASSPHRASE, kind="Ed25519", random_bytes=lambda size: bytes(range(size)), log_n=10)


def _changed(**members: object) -> bytes:
    return dump_json(json.loads(_FILE) | members) + b"\n"


@pytest.mark.parametrize("kind", ALGORITHM_NAMES)
def test_round_trip_of_a_signer(kind: Algorithm) -> None:
    made = generate_signer(kind, os.urandom)
    signer = signer_of(*open_secret(_seal(made.secret_bytes(), kind=kind), _PASSPHRASE))
    assert signer.public_key == made.public_key
    assert signer.secret_bytes() == made.secret_bytes()
    signer.public_key.verify(signer.sign(b"m"), b"m")


@pytest.mark.parametrize("secret", [b"", b"x", bytes(2000)])
def test_round_trip_of_other_secrets(secret: bytes) -> None:
    data = _seal(secret, kind="secp256k1")
    assert open_secret(data, _PASSPHRASE) == ("secp256k1", secret)
    with pytest.raises(MalformedError):
        signer_of("secp256k1", Secret(secret))


def test_secret_of_wrong_length_is_no_signer() -> None:
    other = generate_signer("SM2-SM3", os.urandom).secret_bytes()
    for kind, secret in (
        ("Ed25519", b"x"),
        ("ES256", bytes(32)),
        ("ES256", b"x"),
        ("ES384", b"\x41" * 32),
        ("SM2-SM3", b"\x41" * 32),
        ("SM2-SM3", b"\x41" * 96),
        ("SM2-SM3", b"\x41" * 32 + other[32:]),
        ("", _SECRET),
        ("SM2", _SECRET),
    ):
        with pytest.raises(MalformedError):
            signer_of(kind, Secret(secret))


def test_randomness_is_a_parameter_and_each_file_is_another() -> None:
    fixed = [
        seal_secret(_SECRET, _PASSPHRASE, kind="Ed25519", random_bytes=lambda size: b"\x07" * size, log_n=10)
        for _ in range(2)
    ]
    assert fixed[0] == fixed[1]
    assert _seal() != _FILE


def test_default_cost() -> None:
    data = seal_secret(_SECRET, _PASSPHRASE, kind="Ed25519", random_bytes=os.urandom)
    assert json.loads(data)["log_n"] == 15
    assert open_secret(data, _PASSPHRASE)[1] == _SECRET


@pytest.mark.parametrize("passphrase", [b"\x00", b"wrong", bytes(_PASSPHRASE) + b"\n", bytes(_PASSPHRASE)[:-1]])
def test_wrong_passphrase(passphrase: bytes) -> None:
    with pytest.raises(VerificationError) as caught:
        open_secret(_FILE, Secret(passphrase))
    assert caught.value.code == "keyfile.passphrase"


def test_empty_passphrase() -> None:
    for attempt in (
        lambda: open_secret(_FILE, Secret()),
        lambda: seal_secret(_SECRET, Secret(), kind="Ed25519", random_bytes=os.urandom),
    ):
        with pytest.raises(MalformedError) as caught:
            attempt()
        assert caught.value.code == "passphrase.empty"


def test_every_changed_byte_is_refused() -> None:
    for at in range(len(_FILE)):
        changes = [_FILE[:at] + bytes([_FILE[at] ^ bit]) + _FILE[at + 1 :] for bit in (1, 0x20)]
        changes += [_FILE[:at], _FILE[:at] + _FILE[at + 1 :], _FILE[:at] + b" " + _FILE[at:]]
        for data in changes:
            with pytest.raises((MalformedError, VerificationError)):
                open_secret(data, _PASSPHRASE)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"{}\n",
        b"null\n",
        b"[" * 4000,
        b"\xff" * 100,
        _FILE[:-1],
        _FILE + b"\n",
        b" " + _FILE,
        json.dumps(json.loads(_FILE)).encode() + b"\n",
        _FILE + b" " * 5000,
        b"x" * 100_000_000,
        _changed(version="ematerials/keyfile/v2"),
        _changed(version=1),
        _changed(extra=1),
        _changed(kind=1),
        _changed(kind="x" * 33),
        _changed(salt=b64_encode(bytes(15))),
        _changed(salt=""),
        _changed(salt=None),
        _changed(nonce=b64_encode(bytes(13))),
        _changed(nonce=b64_encode(bytes(8))),
        _changed(nonce="-_-_"),
        _changed(box=7),
        _changed(log_n="10"),
        _changed(log_n=True),
        _changed(log_n=None),
    ],
    ids=lambda data: ascii(data[:20]),
)
def test_other_forms(data: bytes) -> None:
    with pytest.raises(MalformedError):
        open_secret(data, _PASSPHRASE)


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17])
def test_boxes_of_other_lengths(size: int) -> None:
    with pytest.raises(VerificationError):
        open_secret(_changed(box=b64_encode(bytes(size))), _PASSPHRASE)


def test_members_are_authenticated() -> None:
    for members in (
        {"kind": "ES256"},
        {"log_n": 11},
        {"salt": b64_encode(bytes(16))},
        {"nonce": b64_encode(bytes(12))},
    ):
        with pytest.raises(VerificationError):
            open_secret(_changed(**members), _PASSPHRASE)


@pytest.mark.parametrize("log_n", [-1, 0, 1, 9, 18, 20, 24, 30, 62, 64, 1000, 2**53 - 1])
def test_hostile_cost_is_refused_before_it_is_paid(log_n: int) -> None:
    tracemalloc.start()
    started = time.process_time()
    for attempt in (lambda: open_secret(_changed(log_n=log_n), _PASSPHRASE), lambda: _seal(log_n=log_n)):
        with pytest.raises(MalformedError) as caught:
            attempt()
        assert caught.value.code == "form.range"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.process_time() - started < 0.5
    assert peak < 1_000_000


def test_a_file_that_could_not_be_read_again_is_not_made() -> None:
    for make in (lambda: _seal(bytes(4000)), lambda: _seal(kind="x" * 33), lambda: _seal(kind="\ud800")):
        with pytest.raises(MalformedError):
            make()


def test_nothing_secret_in_errors() -> None:
    attempts: list[Callable[[], object]] = [
        lambda: open_secret(_FILE, Secret(b"wrong")),
        lambda: open_secret(_FILE[:-9], _PASSPHRASE),
        lambda: open_secret(_changed(box=b64_encode(bytes(40))), _PASSPHRASE),
        lambda: signer_of("Ed25519", Secret(_SECRET + b"A")),
        lambda: signer_of("ES256", Secret(_SECRET + b"A")),
        lambda: signer_of("SM2-SM3", Secret(_SECRET * 3)),
        lambda: signer_of("AAAA", _SECRET),
    ]
    for attempt in attempts:
        with pytest.raises(LedgerError) as caught:
            attempt()
        shown = f"{caught.value!r} {caught.value} {caught.value.args}"
        for secret in ("AAAA", "4141", "长的口令", "wrong'", json.loads(_FILE)["box"]):
            assert secret not in shown
        assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_file_is_created_once_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "issuer.key"
    before = os.umask(0)
    try:
        write_key_file(path, _FILE)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_key_file(path) == _FILE
    with pytest.raises(MalformedError) as caught:
        write_key_file(path, b"other")
    assert caught.value.code == "keyfile.exists"
    assert read_key_file(path) == _FILE
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("target", ["elsewhere", "issuer.key"])
def test_a_link_is_not_followed_when_writing(tmp_path: Path, target: str) -> None:
    path = tmp_path / "issuer.key"
    path.symlink_to(tmp_path / target)
    with pytest.raises(MalformedError):
        write_key_file(path, _FILE)
    assert list(tmp_path.iterdir()) == [path]


def test_leftovers_of_a_crash_do_not_block(tmp_path: Path) -> None:
    (tmp_path / ".issuer.key.abcd").write_bytes(b"half")
    (tmp_path / "issuer.key.new").write_bytes(b"another file of the operator")
    write_key_file(tmp_path / "issuer.key", _FILE)
    assert read_key_file(tmp_path / "issuer.key") == _FILE
    assert (tmp_path / "issuer.key.new").exists()


def test_places_that_cannot_be_written_or_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "missing/issuer.key", tmp_path / "file/issuer.key", tmp_path / ("x" * 300)):
        with pytest.raises(UnavailableError):
            write_key_file(path, _FILE)
        with pytest.raises(UnavailableError):
            read_key_file(path)
    with pytest.raises(UnavailableError):
        read_key_file(tmp_path)
    with pytest.raises(MalformedError):
        write_key_file(tmp_path / "file", _FILE)


def test_a_huge_file_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    with path.open("wb") as stream:
        stream.truncate(10**11)
    data = read_key_file(path)
    assert len(data) < 10_000
    with pytest.raises(MalformedError) as caught:
        open_secret(data, _PASSPHRASE)
    assert caught.value.code == "form.size"


def test_errors_name_the_file_and_say_what_to_do(tmp_path: Path) -> None:
    path, later = tmp_path / "issuer.key", tmp_path / "later.key"
    write_key_file(path, _FILE)
    later.write_bytes(_changed(version="ematerials/keyfile/v2"))
    assert open_key_file(path, _PASSPHRASE) == ("Ed25519", _SECRET)
    attempts: list[tuple[Callable[[], object], str, str]] = [
        (lambda: open_key_file(path, Secret(b"wrong")), "issuer.key", "put the file back from a backup"),
        (lambda: open_key_file(path, Secret()), "issuer.key", "give another"),
        (lambda: open_key_file(later, _PASSPHRASE), "later.key", "the version is not ematerials/keyfile/v1"),
        (lambda: open_key_file(tmp_path / "gone.key", _PASSPHRASE), "gone.key", "No such file"),
        (lambda: write_key_file(path, _FILE), "issuer.key", "choose another name"),
        (lambda: write_key_file(tmp_path / "x/issuer.key", _FILE), "issuer.key", "No such file"),
    ]
    for attempt, name, advice in attempts:
        with pytest.raises(LedgerError) as caught:
            attempt()
        assert name in str(caught.value)
        assert advice in str(caught.value)
