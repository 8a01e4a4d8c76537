"""One login of this process to one PKCS#11 token: its module loaded once, its PIN tried once, a lost session reopened.

python-pkcs11 initialises modules with ``C_Initialize(NULL)``, which promises that no two threads call at once (PKCS#11
v2.40 §5.4): SoftHSM2 then takes no locks of its own and crashes if they do, each with its own session. So there is one
lock for each module, and one session is enough; processes run in parallel.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, Final, TypeVar

import pkcs11
from pkcs11 import Attribute, ObjectClass, TokenFlag
from pkcs11.exceptions import (
    DeviceError,
    DeviceRemoved,
    FunctionFailed,
    GeneralError,
    KeyHandleInvalid,
    ObjectHandleInvalid,
    PinExpired,
    PinIncorrect,
    PinInvalid,
    PinLenRange,
    PinLocked,
    PKCS11Error,
    RandomNoRNG,
    SessionClosed,
    SessionHandleInvalid,
    TokenNotPresent,
    UserAlreadyLoggedIn,
    UserNotLoggedIn,
)

from signing.errors import UnavailableError, VerificationError
from signing.secret import Secret

T = TypeVar("T")

_SESSION_LOST: Final = (SessionHandleInvalid, SessionClosed, UserNotLoggedIn)
# A handle that a living session does not know, and the last two, which say little and are what the clients of networked
# HSMs return when the connection is gone.
_DEVICE_LOST: Final = (
    DeviceRemoved, DeviceError, TokenNotPresent, KeyHandleInvalid, ObjectHandleInvalid, GeneralError, FunctionFailed
)  # fmt: skip
_PIN_REFUSED: Final = (PinIncorrect, PinInvalid, PinLenRange, PinExpired)
_LOCKED: Final = ("hsm.pin-locked", "the token's PIN is locked: its security officer has to set a new one")


class _Utf8:
    """A PIN as python-pkcs11 takes one: it calls ``encode`` only, so no ``str`` of the PIN is ever made."""

    __slots__ = ("_pin",)

    def __init__(self, pin: Secret) -> None:
        self._pin = pin

    def encode(self, _encoding: str) -> bytes:
        return self._pin


@dataclass(slots=True)
class _Module:
    """A vendor's library in this process; ``lock`` is held during every call into it.

    ``starts`` counts how often it was initialised: handles of an earlier start may by now be another token's.
    """

    path: str
    lib: Any
    process: int
    lock: Lock = field(default_factory=Lock)
    starts: int = 1

    def check_process(self) -> None:
        """Refuse in a forked child: the state that it inherits of the library is the parent's."""
        if self.process != os.getpid():
            raise UnavailableError("hsm.forked", "the PKCS#11 module was loaded before a fork: load it in this process")

    def token(self, label: str) -> pkcs11.Token:
        """The one token of that label that is present now."""
        try:
            tokens = list(self.lib.get_tokens(token_label=label))
        except PKCS11Error:  # other code of this process may have finalised the module
            tokens = []
        if not tokens:
            self.restart()
            tokens = list(self.lib.get_tokens(token_label=label))
        if len(tokens) != 1:
            found = "no token has" if not tokens else f"{len(tokens)} tokens have"
            raise UnavailableError("hsm.token", f"{self.path}: {found} the label {label!r}")
        token: pkcs11.Token = tokens[0]
        return token

    def restart(self) -> None:
        """Finalise and initialise: what many modules need to see a new token, or their HSM again after an outage.

        Sessions with other tokens of the module are lost by it, and opened again when they are next used.
        """
        self.starts += 1
        with suppress(PKCS11Error):
            self.lib.finalize()
        self.lib.initialize()


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that is logged in, and the private keys found in it so far; they end with a ``start`` of the module."""

    session: pkcs11.Session
    start: int
    keys: dict[str, Any] = field(default_factory=dict)

    def search(self, kind: ObjectClass, label: str | None = None) -> list[pkcs11.Object]:
        """All objects of a class, of one label if that is given."""
        with suppress(RandomNoRNG):  # a search that fails to begin complains again from its destructor, unseen by us
            self.session.generate_random(64)
        template = {Attribute.CLASS: kind} | ({} if label is None else {Attribute.LABEL: label})
        return list(self.session.get_objects(template))


class TokenSession:
    """A login that ``run`` keeps alive. Safe for use by several threads."""

    def __init__(self, module: _Module, label: str, pin: Secret) -> None:
        self._module, self.label, self._pin = module, label, pin
        self._opened: Opened | None = None
        self._refusal: tuple[str, str] | None = None

    def run(self, action: Callable[[Opened], T]) -> T:
        """Do ``action`` in the session; if that was lost, once more in a new one.

        Raises what ``action`` raises, UnavailableError (``hsm.forked``, ``hsm.token``, ``hsm.unavailable``),
        VerificationError (``hsm.pin``, ``hsm.pin-final-try``, ``hsm.pin-locked``).
        """
        self._module.check_process()
        with self._module.lock, _mapped():
            try:
                return action(self._current() or self._log_in())
            except _DEVICE_LOST:
                self._log_out()
                self._module.restart()
            except PKCS11Error as error:
                # The base class itself: "not initialised", and codes of vendors.
                if not isinstance(error, _SESSION_LOST) and type(error) is not PKCS11Error:
                    raise
                self._log_out()
            return action(self._log_in())

    def close(self) -> None:
        """Log out; the next ``run`` logs in again."""
        self._module.check_process()
        with self._module.lock:
            self._log_out()

    def takes(self, pin: Secret) -> bool:
        """Whether ``pin`` is this session's own."""
        return self._pin == pin

    @property
    def logged_in(self) -> bool:
        """Whether the token has accepted the PIN and the session was not closed since."""
        return self._current() is not None

    def _log_in(self) -> Opened:
        if self._refusal is not None:
            raise VerificationError(*self._refusal)
        token = self._module.token(self.label)
        check_attempts(token.flags)
        try:
            session = token.open(user_pin=_Utf8(self._pin))
        except UserAlreadyLoggedIn:  # a login belongs to the process: other code of it has made this one
            session = token.open()
        except _PIN_REFUSED:
            self._refusal = ("hsm.pin", "the token refused the PIN; it is not tried again until the process restarts")
            raise VerificationError(*self._refusal) from None
        except PinLocked:
            self._refusal = _LOCKED
            raise VerificationError(*self._refusal) from None
        self._opened = Opened(session, self._module.starts)
        return self._opened

    def _current(self) -> Opened | None:
        return self._opened if self._opened is not None and self._opened.start == self._module.starts else None

    def _log_out(self) -> None:
        opened, self._opened = self._current(), None
        if opened is not None:
            with suppress(PKCS11Error):  # as a rule it is gone already
                opened.session.close()


def check_attempts(flags: TokenFlag) -> None:
    """Refuse before a PIN is tried if this would be the last attempt (``hsm.pin-final-try``), or is none any more.

    The flags are those of CK_TOKEN_INFO. A person may spend the last attempt, with the vendor's tool; no service may.
    Raises VerificationError, for a locked PIN ``hsm.pin-locked``.
    """
    if flags & TokenFlag.USER_PIN_LOCKED:
        raise VerificationError(*_LOCKED)
    if flags & TokenFlag.USER_PIN_FINAL_TRY:
        message = "the token allows one more attempt at its PIN: log in once with the vendor's tool, then start again"
        raise VerificationError("hsm.pin-final-try", message)


@contextmanager
def _mapped() -> Iterator[None]:
    try:
        yield
    except PKCS11Error as error:
        raise UnavailableError("hsm.unavailable", f"the token could not do it now: {type(error).__name__}") from None


_modules: Final[dict[str, _Module]] = {}
_sessions: Final[dict[tuple[str, str], TokenSession]] = {}
_registry: Final = Lock()


def open_session(path: Path, label: str, pin: Secret) -> TokenSession:
    """The process's session with a token, logged in; see ``signing.hsm.open_token``."""
    with _registry:
        module = _load(path)
        session = _sessions.get((module.path, label))
        if session is not None and not session.takes(pin):
            if session.logged_in:
                raise VerificationError("hsm.pin", "this process has the token open with another PIN")
            session = None
        if session is None:
            session = _sessions[module.path, label] = TokenSession(module, label, pin)
    session.run(lambda _opened: None)
    return session


def _load(path: Path) -> _Module:
    real = os.path.realpath(path)  # one library, whatever it is called: it can be initialised once
    if real not in _modules:
        if not os.path.isfile(real):
            raise UnavailableError("hsm.module", f"{path}: there is no such PKCS#11 module")
        try:
            _modules[real] = _Module(real, pkcs11.lib(real), os.getpid())
        except PKCS11Error as error:
            raise UnavailableError("hsm.module", f"{path}: can't be used as a PKCS#11 module: {error}") from None
    _modules[real].check_process()
    return _modules[real]
