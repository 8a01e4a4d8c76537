"""Logging in to a token: once for each process, and a PIN that was refused is not tried again."""

import logging
import traceback

import pytest
from pkcs11 import TokenFlag

from signing import LedgerError, Secret, UnavailableError, VerificationError
from signing.hsm import open_token
from signing.hsm.session import check_attempts
from tests.support.softhsm import PIN, SoftToken, soft_token

__all__ = ["soft_token"]

_WRONG = "wrong-PIN-8264"
_FAILED_BEFORE = TokenFlag.USER_PIN_COUNT_LOW  # SoftHSM2 sets it at a wrong PIN, clears it at the next right one


def _refusal(soft_token: SoftToken, pin: str) -> VerificationError:
    with pytest.raises(VerificationError) as caught:
        soft_token.open(pin)
    return caught.value


def test_a_wrong_pin_reaches_the_token_once(soft_token: SoftToken) -> None:
    assert _refusal(soft_token, _WRONG).code == "hsm.pin"
    assert soft_token.flags() & _FAILED_BEFORE
    soft_token.elsewhere("login")
    assert not soft_token.flags() & _FAILED_BEFORE
    for _ in range(5):
        assert _refusal(soft_token, _WRONG).code == "hsm.pin"
    assert not soft_token.flags() & _FAILED_BEFORE


def test_the_right_pin_works_after_a_wrong_one(soft_token: SoftToken) -> None:
    for wrong in (_WRONG, "", "x" * 300):
        assert _refusal(soft_token, wrong).code == "hsm.pin"
    token = soft_token.open()
    token.generate("key", "ES256")
    signer = token.signer("key")
    signer.public_key.verify(signer.sign(b"message"), b"message")
    assert not soft_token.flags() & _FAILED_BEFORE


def test_a_pin_that_was_changed_is_tried_once(soft_token: SoftToken) -> None:
    token = soft_token.open()
    token.generate("key", "Ed25519")
    signer = token.signer("key")
    soft_token.elsewhere("new-pin", "another-PIN-1155")
    soft_token.forget()  # SoftHSM2 remembers the old PIN until then
    for attempt in range(2):
        with pytest.raises(VerificationError) as caught:
            signer.sign(b"message")
        assert caught.value.code == "hsm.pin"
        assert bool(soft_token.flags() & _FAILED_BEFORE) == (attempt == 0)
        soft_token.elsewhere("login", pin="another-PIN-1155")


def test_one_login_for_each_process(soft_token: SoftToken) -> None:
    first, second = soft_token.open(), soft_token.open()
    first.generate("key", "ES256")
    assert second.signer("key").public_key == first.signer("key").public_key
    refused = _refusal(soft_token, _WRONG)
    assert (refused.code, str(refused)) == ("hsm.pin", "this process has the token open with another PIN")
    assert not soft_token.flags() & _FAILED_BEFORE
    first.close()
    assert _refusal(soft_token, _WRONG).code == "hsm.pin"
    assert soft_token.flags() & _FAILED_BEFORE
    assert second.signer("key").public_key == first.signer("key").public_key


@pytest.mark.parametrize(
    ("flag", "code"),
    [(TokenFlag.USER_PIN_FINAL_TRY, "hsm.pin-final-try"), (TokenFlag.USER_PIN_LOCKED, "hsm.pin-locked")],
)
def test_the_last_attempt_is_not_spent(soft_token: SoftToken, flag: TokenFlag, code: str) -> None:
    soft_token.set_flag(flag)
    soft_token.forget()
    for pin in (_WRONG, PIN):
        assert _refusal(soft_token, pin).code == code
        assert soft_token.flags() & flag
        assert not soft_token.flags() & _FAILED_BEFORE


def test_flags_that_do_not_matter() -> None:
    check_attempts(TokenFlag.USER_PIN_COUNT_LOW | TokenFlag.LOGIN_REQUIRED | TokenFlag.SO_PIN_LOCKED)
    with pytest.raises(VerificationError):
        check_attempts(TokenFlag.USER_PIN_FINAL_TRY | TokenFlag.USER_PIN_LOCKED)


def test_a_forked_child_is_refused(soft_token: SoftToken) -> None:
    soft_token.open().generate("key", "ES256")
    assert soft_token.elsewhere("fork", "key") == ["hsm.forked", "hsm.forked", "parent"]


def test_the_pin_is_shown_nowhere(soft_token: SoftToken, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []

    def note(error: LedgerError) -> None:
        """With the values of all local variables, as some loggers of exceptions print them."""
        captured = traceback.TracebackException.from_exception(error, capture_locals=True)
        ours = [frame for frame in captured.stack if "/signing/" in frame.filename and "/tests/" not in frame.filename]
        assert captured.__cause__ is None
        shown.extend([repr(error), str(error), *(repr(frame.locals) for frame in ours)])

    note(_refusal(soft_token, _WRONG))
    token = soft_token.open()
    shown.append(repr(token) + repr(vars(token)))
    for attempt in (
        lambda: token.signer("none"),
        lambda: token.generate("key", "SM2-SM3"),
        lambda: open_token(soft_token.module, "none", Secret(PIN.encode())),
    ):
        with pytest.raises(UnavailableError) as caught:
            attempt()
        note(caught.value)
    assert any("Secret(…)" in line for line in shown)
    for line in (*shown, caplog.text):
        assert not any(pin in line for pin in (PIN, _WRONG, PIN.encode().hex(), _WRONG.encode().hex()))
