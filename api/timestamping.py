"""Time stamps over statements and checkpoints, from the services in the settings; off the request path.

Nothing is held while a service is asked. A token is kept only once it was verified against the trust list; one that a
service made but that never arrived is of no consequence: the next run asks again.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import httpx
from sqlalchemy import Connection

from anchors.store import SqlAnchorProofs
from api import clock
from api.anchoring import trusted_scopes
from api.log_reading import accepted_size
from api.trust_lists import current_trust, renew_trust
from api.workspace import Workspace
from ledger import parse_checkpoint
from materials.bundle import BundledTimestamp
from materials.evidence.times import check_timestamp
from materials.ids import MaterialId
from materials.registry.records import KeptTimestamp, StampedKind
from materials.store.materials import SqlMaterialStore
from materials.store.timestamps import SqlTimestampStore
from signing import LedgerError, MalformedError, RefusedError, UnavailableError, open_note, sha256
from signing.rfc3161.timestamps import (
    TIMESTAMP_MAX_BYTES,
    VerifiedTimestamp,
    read_timestamp_response,
    timestamp_request,
)

_MAX_ANSWER: Final = TIMESTAMP_MAX_BYTES + 1024
_HEADERS: Final = {
    "content-type": "application/timestamp-query",  # RFC 3161 §3.4
    "accept": "application/timestamp-reply",
    "accept-encoding": "identity",
}


@dataclass(frozen=True, slots=True)
class Subject:
    """Something to stamp: ``name`` is a material's id, or a log's origin and the size of the checkpoint."""

    over: StampedKind
    name: str
    message: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of asking one service for one subject; ``host`` is who was asked."""

    subject: Subject
    host: str
    outcome: VerifiedTimestamp | LedgerError


def stamp_statement(workspace: Workspace, jti: MaterialId) -> list[Attempt]:
    """Have a statement stamped by each service that has not done so; empty if all have.

    Raises RefusedError (``material.unknown``), UnavailableError (``timestamp.no-service``).
    """
    with workspace.database.read() as connection:
        record = SqlMaterialStore(connection).find(jti)
    if record is None:
        raise RefusedError("material.unknown", "no material with this id is registered here")
    return _stamp(workspace, [Subject("statement", jti, record.jwt.encode("ascii"))])


def stamp_checkpoints(workspace: Workspace) -> list[Attempt]:
    """Have the newest checkpoint stamped, and the newest anchored and cosigned ones, which bundles show; as
    ``stamp_statement``.
    """
    with workspace.database.read() as connection:
        subjects = list(_newest_checkpoints(workspace, connection))
    return _stamp(workspace, subjects)


def _newest_checkpoints(workspace: Workspace, connection: Connection) -> Iterator[Subject]:
    log = workspace.log(connection)
    now = clock.now()
    proved = [SqlAnchorProofs(connection, scope).newest() for scope in trusted_scopes(workspace, connection, now)]
    cosigned = accepted_size(workspace, connection, 1, log.size(), now)
    shown = [*(found[0] for found in proved if found is not None), *([] if cosigned is None else [cosigned])]
    notes = [log.checkpoint(), *map(log.checkpoint_at, shown)]
    for note in dict.fromkeys(note for note in notes if note is not None):
        opened = open_note(note, [workspace.log_key])
        checkpoint = parse_checkpoint(opened.text)
        yield Subject("checkpoint", f"{checkpoint.origin} {checkpoint.size}", opened.text)


def _stamp(workspace: Workspace, subjects: Iterable[Subject]) -> list[Attempt]:
    """Ask each service for each subject that it has not stamped; one that failed is not asked again in this run."""
    urls = workspace.settings.timestamps.urls
    if not urls:
        raise UnavailableError("timestamp.no-service", "no time-stamping service is set: [timestamps] urls")
    renew_trust(workspace, clock.now())
    attempts: list[Attempt] = []
    failed: set[str] = set()
    for subject in subjects:
        with workspace.database.read() as connection:
            done = {stamp.service for stamp in SqlTimestampStore(connection).of(sha256(subject.message))}
        for url in dict.fromkeys(urls):
            if url not in done | failed:
                attempts.append(_attempt(workspace, subject, url))
                if isinstance(attempts[-1].outcome, LedgerError):
                    failed.add(url)
    return attempts


def _attempt(workspace: Workspace, subject: Subject, url: str) -> Attempt:
    host = urlsplit(url).hostname or ""
    try:
        stamp = _obtain(workspace, subject, url)
    except LedgerError as error:
        return Attempt(subject, host, error)
    kept = KeptTimestamp(sha256(subject.message), url, subject.over, stamp.gen_time, stamp.timestamp.token)
    with workspace.database.write() as connection:
        SqlTimestampStore(connection).add(kept)
    return Attempt(subject, host, stamp)


def _obtain(workspace: Workspace, subject: Subject, url: str) -> VerifiedTimestamp:
    """A time stamp that the trust list stands for.

    Raises UnavailableError (``timestamp.unreachable``, ``timestamp.answer``, ``timestamp.refused``,
    ``timestamp.authority`` …), VerificationError for a time stamp that proves something else, or nothing.
    """
    nonce = int.from_bytes(clock.random_bytes(16))
    answer = _post(url, timestamp_request(subject.message, nonce=nonce), workspace.settings.timestamps.timeout)
    try:
        token = read_timestamp_response(answer, message=subject.message, nonce=nonce).token
    except MalformedError as error:
        raise UnavailableError("timestamp.answer", f"the service's answer is no time stamp: {error}") from error
    now = clock.now()
    with workspace.database.read() as connection:
        trust = current_trust(workspace, connection, now)
    return check_timestamp(BundledTimestamp(subject.over, token), subject.message, trust, now)


def _post(url: str, request: bytes, timeout: int) -> bytes:
    """The content of the answer; bounded in size and time, without redirects."""
    give_up = clock.now() + timeout
    answer = b""
    try:
        with (
            httpx.Client(timeout=timeout, follow_redirects=False) as client,
            client.stream("POST", url, content=request, headers=_HEADERS) as response,
        ):
            if response.status_code != httpx.codes.OK:
                raise UnavailableError("timestamp.unreachable", f"the service answered HTTP {response.status_code}")
            for chunk in response.iter_raw():
                answer += chunk
                if len(answer) > _MAX_ANSWER or clock.now() > give_up:
                    raise UnavailableError("timestamp.answer", "the service's answer is too large or too slow")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise UnavailableError("timestamp.unreachable", f"no answer: {type(error).__name__}") from error
    return answer
