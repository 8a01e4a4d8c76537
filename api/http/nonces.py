"""The replay table: each nonce of each signing key counts once while its signature could still be accepted.

Requests that come in at the same time share a commit; each goes on after it, and never before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from sqlalchemy import BigInteger, Column, Connection, Index, MetaData, String, Table, delete

from api import clock
from api.db import Database
from ledger.group_commit import GroupCommit
from materials.store.insert import insert_those_not_taken
from materials.times import SKEW_SECONDS
from signing import UnavailableError

metadata: Final = MetaData()

request_nonces: Final = Table(
    "http_nonce",
    metadata,
    Column("keyid", String(128), primary_key=True),
    Column("nonce", String(128), primary_key=True),
    Column("forget_at", BigInteger, nullable=False, comment="Unix seconds; the signature has expired for everyone"),
    Index("ix_http_nonce_forget_at", "forget_at"),
    comment="nonces of signed requests, so that none is accepted twice",
)
_KEPT_SECONDS: Final = 60
"""How long a nonce stays after its signature has expired: longer than a request in progress, also in another process,
needs from the check of its window to its nonce.
"""


@dataclass(frozen=True, slots=True, order=True)
class Nonce:
    """The nonce of a verified request; ``expires`` (Unix seconds) is its signature's."""

    keyid: str
    value: str
    expires: int


class Nonces:
    """Takes the nonces of one service; ``start`` and ``stop`` once each, ``take`` from any thread between."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._group: GroupCommit[Nonce, bool] | None = None

    def start(self) -> None:
        """Begin."""
        self._group = GroupCommit(partial(_commit, self._database), weight=lambda _: 0, name="nonces")

    def stop(self) -> None:
        """Take no more, answer what was taken, end the thread."""
        if self._group is not None:
            self._group.close()

    def take(self, nonce: Nonce) -> bool:
        """Take a nonce for good, durably; False if it was taken before, or its signature has expired meanwhile.

        Raises UnavailableError: it was not taken, or that is not known. The request is to be signed anew, with
        another nonce.
        """
        if self._group is None:
            raise UnavailableError("http.busy", "the service takes no signed requests yet")
        return self._group.submit(nonce).result()


def _commit(database: Database, nonces: Sequence[Nonce]) -> list[bool]:
    with database.write() as connection:
        return take_nonces(connection, nonces, clock.now())


def take_nonces(connection: Connection, nonces: Sequence[Nonce], now: int) -> list[bool]:
    """Whether each is new, in order; of equal ones the first. To be committed before the requests have any effect.

    Nonces of signatures that expired a while ago are dropped on the way.
    """
    connection.execute(delete(request_nonces).where(request_nonces.c.forget_at < now - _KEPT_SECONDS))
    rows = {
        (nonce.keyid, nonce.value): {"keyid": nonce.keyid, "nonce": nonce.value, "forget_at": _forget_at(nonce)}
        for nonce in sorted(nonces)  # in the same order in each process, so that none waits for another in a circle
        if _forget_at(nonce) > now
    }
    new = insert_those_not_taken(connection, request_nonces, list(rows.values()))
    answers = []
    for nonce in nonces:
        key = (nonce.keyid, nonce.value)
        answers.append(key in new)
        new.discard(key)
    return answers


def _forget_at(nonce: Nonce) -> int:
    return nonce.expires + SKEW_SECONDS
