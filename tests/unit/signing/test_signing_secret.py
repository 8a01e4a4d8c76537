"""Secret shows nothing: not in text, not in a dataclass, not copied by accident, not in what a failing test prints."""

import base64
import copy
import dataclasses
import json
import logging
import os
import pickle
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from signing import Secret

_ROOT = Path(__file__).parents[3]
_BYTES = b"\x8f\x01swordfish-\xe7\xa7\x98\xe5\xaf\x86"
_SECRET = Secret(_BYTES)


def _shown(text: str) -> bool:
    hidden = (
        "swordfish",
        "秘密",
        _BYTES.hex(),
        base64.b64encode(_BYTES).decode(),
        base64.urlsafe_b64encode(_BYTES).decode().rstrip("="),
        repr(_BYTES)[2:-1],
        str(list(_BYTES))[1:-1],
        str(int.from_bytes(_BYTES)),
    )
    return any(form in text for form in hidden)


@dataclasses.dataclass
class _Holder:
    name: str
    secret: Secret


def test_no_text_shows_it() -> None:
    texts = [
        repr(_SECRET),
        str(_SECRET),
        ascii(_SECRET),
        f"{_SECRET} {_SECRET!r} {_SECRET!s}",
        "%s %r" % (_SECRET, _SECRET),  # noqa: UP031 - the old way has to be safe too
        "{} {!r}".format(_SECRET, _SECRET),  # noqa: UP032 - as above
        repr(_Holder("n", _SECRET)),
        repr([_SECRET, {"k": _SECRET}, (_SECRET,)]),
        repr(_SECRET[3:9]),
        repr(ValueError(_SECRET)),
        str(ValueError(_SECRET)),
    ]
    assert texts[0] == "Secret(…)"
    assert not any(map(_shown, texts))


def test_no_format_and_no_json_shows_it() -> None:
    for attempt in (lambda: f"{_SECRET:>40}", lambda: json.dumps({"k": _SECRET}), lambda: hash(_SECRET)):
        with pytest.raises(TypeError) as caught:
            attempt()
        assert not _shown(str(caught.value))


def test_no_log_line_shows_it(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("test").error("key %s %r", _SECRET, _Holder("n", _SECRET))
    assert "Secret(…)" in caplog.text
    assert not _shown(caplog.text)


def test_no_traceback_shows_it() -> None:
    def fails(secret: Secret) -> None:
        raise ValueError(secret)

    with pytest.raises(ValueError, match="Secret") as caught:
        fails(_SECRET)
    stack = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert not _shown("".join(stack.format()).replace(repr(_BYTES), ""))


def test_it_is_neither_pickled_nor_copied() -> None:
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="a secret is not pickled"):
            attempt(_SECRET)
        with pytest.raises(TypeError):
            attempt(_Holder("n", _SECRET)) if attempt is not copy.copy else copy.copy(_SECRET)


def test_it_compares_by_value_and_only_with_bytes() -> None:
    for same in (Secret(_BYTES), _BYTES):
        assert same == _SECRET
        assert not same != _SECRET  # noqa: SIM202 - the two operators are two methods
    for other in (Secret(_BYTES + b"x"), Secret(_BYTES[:-1] + b"x"), Secret(), _BYTES[:-1], b""):
        assert other != _SECRET
        assert not other == _SECRET  # noqa: SIM201 - as above
    for foreign in (None, 0, "Secret(…)", _BYTES.decode("latin-1"), list(_BYTES), tuple(_BYTES)):
        assert foreign != _SECRET
        assert not _SECRET.__eq__(foreign)


def test_it_compares_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def compare(one: bytes, other: bytes) -> bool:
        asked.append((type(one), type(other)))
        return False

    monkeypatch.setattr("signing.secret.hmac.compare_digest", compare)
    assert Secret(_BYTES) != _SECRET
    assert Secret(_BYTES) != bytes(_BYTES)
    assert asked == [(bytes, bytes)] * 2


def test_a_slice_is_a_secret_and_an_item_is_a_number() -> None:
    assert isinstance(_SECRET[:4], Secret)
    assert isinstance(_SECRET[::-1], Secret)
    assert _SECRET[0] == 0x8F
    assert bytes(_SECRET) == _BYTES
    assert type(bytes(_SECRET)) is bytes


_FAILING = """
import base64
import dataclasses
import pathlib
import pytest
from signing import Ed25519Signer, Secret, export_private_key, parse_private_key

KEY, OTHER = Secret(pathlib.Path(__file__).with_name("key").read_bytes()), Secret(bytes(32))

@dataclasses.dataclass
class Holder:
    secret: Secret

@pytest.mark.parametrize("secret", [KEY], ids=repr)  # without ids pytest writes bytes into the test's name
def test_argument(secret):
    assert secret == OTHER

def test_length():
    assert KEY == KEY[:-1]

def test_inside():
    assert Holder(KEY) == Holder(OTHER)

def test_list():
    assert [KEY] == [OTHER]

def test_membership():
    assert OTHER in {"k": KEY}.values()

def test_signer():
    signer = Ed25519Signer(KEY)
    assert signer.sign(b"m") == signer.secret_bytes()

@pytest.mark.parametrize("form", ["pem", "der", "jwk"])
def test_parser(form):
    good = export_private_key(Ed25519Signer(KEY), form=form)
    parse_private_key(Secret(good.replace(b"M", b"N").replace(bytes([48]), bytes([49])).replace(b"x", b"xx")))

def test_nested():
    parse_private_key(Secret(b'{"d":' * 40 + base64.urlsafe_b64encode(KEY)))
"""


def test_a_failing_test_does_not_print_it(tmp_path: Path) -> None:
    """With all its reporting on, and whatever fails: an assertion, a signer, a reader of key files."""
    key = bytes(range(207, 239))
    (tmp_path / "key").write_bytes(key)
    (tmp_path / "test_tiny.py").write_text(_FAILING)
    command = [sys.executable, "-m", "pytest", "-vv", "--showlocals", "-p", "no:cacheprovider", "--rootdir", tmp_path]
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run([*command, tmp_path], capture_output=True, text=True, cwd=_ROOT, env=environment)
    shown = done.stdout + done.stderr
    assert "10 failed" in shown
    text = base64.b64encode(key).decode().rstrip("=")
    for form in (key.hex(), text, text.replace("/", "_").replace("+", "-"), repr(key[:3])[2:-1], repr(key[-3:])[2:-1]):
        assert form not in shown
    assert "Secret(…)" in shown
