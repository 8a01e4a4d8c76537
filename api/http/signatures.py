"""Signed requests: our profile ``em-req-v1`` of HTTP Message Signatures (RFC 9421) and content digests (RFC 9530).

Covered are ``@method`` and ``@target-uri``, ``content-type`` and ``content-digest`` where there is a body, and
``idempotency-key`` where it is sent. Parameters: ``created``, ``expires`` (at most 300 s later), ``nonce`` (128 bits
or more, base64url), ``keyid`` (entity id ``#`` key thumbprint), ``tag``; no ``alg``: the key alone says the algorithm.
Keys of Ed25519, ES256 and ES384 sign as RFC 9421 §§3.3.4 to 3.3.6 say; SM2 has no registered algorithm, its keys sign
the same signature base with SM3, r‖s, and the default signer ID.

The one module around the library ``http-message-signatures``.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureAlgorithm,
    HTTPSignatureKeyResolver,
    VerifyResult,
)

from materials.ids import EntityId
from materials.times import SKEW_SECONDS
from signing import KeyId, MalformedError, PublicKey, Signer, UnavailableError, VerificationError

TAG: Final = "em-req-v1"
MAX_WINDOW_SECONDS: Final = 300
WINDOW_SECONDS: Final = 60
IDEMPOTENCY_HEADER: Final = "idempotency-key"
_NONCE: Final = re.compile(r"[A-Za-z0-9_-]{22,128}")
_KEYID: Final = re.compile(r"([a-z]{4,8}:[0-9A-Za-z]{1,32})#([A-Za-z0-9_-]{43})")
_LABEL: Final = "em"

FindKey = Callable[[EntityId, KeyId], PublicKey]
"""Finds the key that an entity may sign requests with; raises VerificationError (``key.*``) if it has no such key."""


class NotAuthenticatedError(VerificationError):
    """The request proves no caller. ``code`` is for the operator's log; callers all get the same answer."""


class Fields(Protocol):
    """Header fields as the library reads and writes them; ``items`` keeps repeated lines in order."""

    def items(self) -> Iterable[tuple[str, str]]: ...
    def __iter__(self) -> Iterator[str]: ...
    def __contains__(self, name: str, /) -> bool: ...
    def __setitem__(self, name: str, value: str, /) -> None: ...
    def __delitem__(self, name: str, /) -> None: ...


class Message(Protocol):
    """A request to be signed or verified: upper-case method, absolute URL as it was sent, fields."""

    @property
    def method(self) -> str: ...
    @property
    def url(self) -> object: ...
    @property
    def headers(self) -> Fields: ...


@dataclass(frozen=True, slots=True)
class ReceivedFields:
    """Header lines of a received request, as they came."""

    lines: tuple[tuple[str, str], ...] = field(repr=False)

    def items(self) -> Iterable[tuple[str, str]]:
        """All lines, in order."""
        return self.lines

    def get(self, name: str) -> str | None:
        """The value of a field that occurs exactly once; None otherwise."""
        values = [value for own, value in self.lines if own.lower() == name]
        return values[0] if len(values) == 1 else None


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """A request as received: ``url`` is the configured public origin with the raw path and query.

    ``body`` None stands for a body that has not come in yet.
    """

    method: str
    url: str
    headers: ReceivedFields
    body: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class VerifiedRequest:
    """Who signed a request. The nonce is still to be taken before anything is done."""

    entity: EntityId
    key: KeyId
    nonce: str
    expires: int

    @property
    def keyid(self) -> str:
        """The ``keyid`` parameter."""
        return f"{self.entity}#{self.key}"


class _KeyDecides(HTTPSignatureAlgorithm):
    """Verifies with whatever algorithm the key has. No ``alg`` parameter can name this class."""

    algorithm_id = "em-by-key"

    def __init__(self, public_key: PublicKey | None = None, private_key: Signer | None = None) -> None:
        self._public_key, self._signer = public_key, private_key

    def verify(self, signature: bytes, message: bytes) -> None:
        if self._public_key is None:
            raise VerificationError("key.unknown", "no key to verify with")
        self._public_key.verify(signature, message)


class _Resolver(HTTPSignatureKeyResolver):
    """Hands the library the one key that the one signature names."""

    def __init__(self, find_key: FindKey) -> None:
        self._find_key = find_key
        self.resolved: tuple[EntityId, KeyId] | None = None
        self.failure: Exception | None = None

    def resolve_public_key(self, key_id: str) -> PublicKey:
        match = _KEYID.fullmatch(key_id)
        if match is None or self.resolved is not None:
            raise VerificationError("key.unknown", "not one keyid of the form <entity id>#<thumbprint>")
        self.resolved = EntityId(match[1]), KeyId(match[2])
        try:
            return self._find_key(*self.resolved)
        except (MalformedError, VerificationError):
            raise
        except Exception as error:
            self.failure = error  # the library would call an outage an invalid signature
            raise


class _Verifier(HTTPMessageVerifier):
    max_clock_skew = timedelta(seconds=SKEW_SECONDS)


def sign_request(message: Message, body: bytes, *, entity: EntityId, signer: Signer, now: int, nonce: str) -> None:
    """Add ``Content-Digest`` (if there is a body), ``Signature-Input`` and ``Signature`` to ``message``."""
    library = HTTPMessageSigner(signature_algorithm=_KeyDecides)
    prepared = library.prepare(
        message,
        key_id=f"{entity}#{signer.public_key.key_id}",
        created=datetime.fromtimestamp(now, UTC),
        expires=datetime.fromtimestamp(now + WINDOW_SECONDS, UTC),
        nonce=nonce,
        label=_LABEL,
        tag=TAG,
        include_alg=False,
        covered_component_ids=_components(message.headers.items(), with_body=bool(body)),
        body=body or None,
    )
    library.apply(message, prepared, signer.sign(prepared.signature_base))


def verify_request(request: ReceivedRequest, *, find_key: FindKey, now: int) -> VerifiedRequest:
    """Prove who signed ``request``; of one whose body is still to come, only that its fields are signed.

    Raises NotAuthenticatedError, and what ``find_key`` raises if it could not look.
    """
    names = {name.lower() for name, _ in request.headers.items()}
    if not {"signature", "signature-input"} <= names:
        raise NotAuthenticatedError("http.no-signature", "the request is not signed")
    resolver = _Resolver(find_key)
    try:
        results = _Verifier(signature_algorithm=_KeyDecides, key_resolver=resolver).verify(
            request,
            max_age=timedelta(seconds=MAX_WINDOW_SECONDS),
            expect_tag=TAG,
            require_components=_required(request),
            body=request.body,
        )
    except HTTPMessageSignaturesException as error:
        if resolver.failure is not None:
            raise resolver.failure from None
        if isinstance(error.__cause__, UnavailableError):  # the key's algorithm is not installed here
            raise error.__cause__ from None
        raise NotAuthenticatedError("http.signature", "no signature of our profile verifies") from error
    if len(results) != 1 or resolver.resolved is None:
        raise NotAuthenticatedError("http.tag", "not exactly one signature with our tag")
    return _check_parameters(results[0], resolver.resolved, now)


def _check_parameters(result: VerifyResult, signed_by: tuple[EntityId, KeyId], now: int) -> VerifiedRequest:
    """What the library leaves to us: ``nonce`` and ``expires`` are there, the window is short, no ``alg``."""
    parameters = result.parameters
    created, expires, nonce = (parameters.get(name) for name in ("created", "expires", "nonce"))
    if not isinstance(created, int) or not isinstance(expires, int) or "alg" in parameters:
        raise NotAuthenticatedError("http.window", "created and expires are needed, alg is not allowed")
    if not 0 < expires - created <= MAX_WINDOW_SECONDS or not created - SKEW_SECONDS <= now < expires + SKEW_SECONDS:
        raise NotAuthenticatedError("http.window", "not signed for this time, or for too long a time")
    if not isinstance(nonce, str) or not _NONCE.fullmatch(nonce):
        raise NotAuthenticatedError("http.nonce", "a nonce of 128 bits in base64url is needed")
    return VerifiedRequest(*signed_by, nonce, expires)


def _components(lines: Iterable[tuple[str, str]], *, with_body: bool) -> list[str]:
    components = ["@method", "@target-uri"]
    if with_body:
        components.append("content-type")
    if any(name.lower() == IDEMPOTENCY_HEADER for name, _ in lines):
        components.append(IDEMPOTENCY_HEADER)
    return components


def _required(request: ReceivedRequest) -> list[str]:
    with_body = request.body is None or bool(request.body)
    digest = ["content-digest"] if with_body else []
    return [*_components(request.headers.items(), with_body=with_body), *digest]
