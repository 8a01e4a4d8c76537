"""A token's session is lost underneath: opened again, or said to be unavailable; never a wrong answer."""

import os
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from subprocess import PIPE

import pytest
from pkcs11 import Attribute, ObjectClass

from signing import MalformedError, Signer, UnavailableError, VerificationError
from signing.hsm import HsmToken
from tests.support.softhsm import PIN, SoftToken, soft_token
from tests.support.together import run_together

__all__ = ["soft_token"]

_numbers = count()


@pytest.fixture
def token(soft_token: SoftToken) -> HsmToken:
    return soft_token.open()


@pytest.fixture
def signer(token: HsmToken) -> Signer:
    token.generate("key", "ES256")
    return token.signer("key")


def _sign(signer: Signer) -> None:
    message = b"message %d" % next(_numbers)
    signer.public_key.verify(signer.sign(message), message)


@pytest.mark.parametrize("end", [SoftToken.close_all_sessions, SoftToken.finalise, SoftToken.forget])
def test_a_lost_session_is_opened_again(
    soft_token: SoftToken, token: HsmToken, signer: Signer, end: Callable[[SoftToken], None]
) -> None:
    _sign(signer)
    for _ in range(3):
        end(soft_token)
        _sign(signer)
    end(soft_token)
    assert [key.label for key in token.list_keys()] == ["key"]
    end(soft_token)
    token.generate("second", "Ed25519")
    end(soft_token)
    assert token.signer("key").public_key == signer.public_key
    end(soft_token)
    with pytest.raises(MalformedError):
        token.generate("second", "Ed25519")


def test_sessions_end_while_threads_sign(soft_token: SoftToken, token: HsmToken, signer: Signer) -> None:
    """Nobody but ourselves may call the library meanwhile: the session is ended through the token itself."""

    def work() -> None:
        for _ in range(25):
            _sign(signer)

    def interrupt() -> None:
        for _ in range(10):
            token.close()

    run_together(*[work] * 7, interrupt)


def test_a_token_is_removed_and_put_back(soft_token: SoftToken, token: HsmToken, signer: Signer) -> None:
    away = soft_token.folder.with_name("away")
    os.rename(soft_token.folder, away)
    for use in (lambda: _sign(signer), lambda: token.signer("key")):
        with pytest.raises(UnavailableError) as caught:
            use()
        assert caught.value.code == "hsm.unavailable"
    os.rename(away, soft_token.folder)
    _sign(signer)


def test_a_token_is_lost_beside_another(soft_token: SoftToken, signer: Signer) -> None:
    """To look for it the module is started anew, which ends the other's session too."""
    other = soft_token.beside()
    other.open().generate("key", "Ed25519")
    remaining = other.open().signer("key")
    folder, away = soft_token.place(), soft_token.folder.with_name("away")
    os.rename(folder, away)
    for _ in range(3):
        with pytest.raises(UnavailableError):
            _sign(signer)
        _sign(remaining)
    os.rename(away, folder)
    _sign(signer)
    _sign(remaining)


def test_a_restart_that_was_missed(soft_token: SoftToken, token: HsmToken) -> None:
    """Handles are small numbers: after a restart by other code, ours may be those of another token and its key."""
    other = soft_token.beside()
    for each in (token, other.open()):
        each.generate("key", "ES256")
    soft_token.forget()
    signer = token.signer("key")
    soft_token.forget()
    session = other.raw().open(user_pin=PIN)
    (foreign,) = session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY})
    assert (session.handle, foreign.handle) == (1, 2)  # as the signer's were
    for _ in range(3):
        _sign(signer)


def test_a_restart_for_another_token(soft_token: SoftToken, token: HsmToken, signer: Signer) -> None:
    """The session is not mistaken for the other token's, which may have its number now."""
    other = soft_token.beside()
    other.open().generate("beside", "ES256")
    remaining = other.open().signer("beside")
    soft_token.forget()
    _sign(signer)
    folder, away = other.place(), soft_token.folder.with_name("away")
    _sign(remaining)
    os.rename(folder, away)
    with pytest.raises(UnavailableError):
        _sign(remaining)
    os.rename(away, folder)
    _sign(remaining)
    assert [key.label for key in token.list_keys()] == ["key"]
    assert [key.label for key in other.open().list_keys()] == ["beside"]


def test_threads_at_two_tokens_of_one_module(soft_token: SoftToken, signer: Signer) -> None:
    """In another process: SoftHSM2 crashes if two threads call it at once after ``C_Initialize(NULL)``."""
    other = soft_token.beside()
    other.open().generate("key", "ES256")
    assert signer.public_key.algorithm == "ES256"
    assert soft_token.elsewhere("threads", "key", other.label) == ["400"]


def test_another_key_under_the_label_does_not_sign(soft_token: SoftToken, token: HsmToken, signer: Signer) -> None:
    with soft_token.raw().open(rw=True) as session:
        for kind in (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY):
            (found,) = session.get_objects({Attribute.CLASS: kind, Attribute.LABEL: "key"})
            found.destroy()
    with pytest.raises(UnavailableError) as gone:
        signer.sign(b"message")
    assert gone.value.code == "hsm.key-missing"
    token.generate("key", "ES256")
    for _ in range(2):
        with pytest.raises(VerificationError) as other:
            signer.sign(b"message")
        assert other.value.code == "hsm.key-differs"
    _sign(token.signer("key"))


def test_processes_sign_at_once(soft_token: SoftToken, signer: Signer) -> None:
    """Each begins when the one before has signed: SoftHSM2 may miss a token at whose file another is logging in."""
    command = [sys.executable, "-m", "tests.support.hsm_worker", str(soft_token.module), soft_token.label]
    others, lines = [], []
    for _ in range(2):
        other = subprocess.Popen([*command, "sign", "key", "200"], stdin=PIPE, stdout=PIPE, text=True)
        assert other.stdin is not None
        assert other.stdout is not None
        other.stdin.write(PIN)
        other.stdin.close()
        others.append(other)
        lines.append([other.stdout.readline()])
    for _ in range(100):
        _sign(signer)
    for other, signatures in zip(others, lines, strict=True):
        assert other.stdout is not None
        with other.stdout as rest:
            signatures.extend(rest)
        assert (other.wait(60), len(signatures)) == (0, 200)
        for number, line in enumerate(signatures):
            signer.public_key.verify(bytes.fromhex(line), b"message %d" % number)
