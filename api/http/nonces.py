"""The replay table: each nonce of each signing key counts once while its signature could still be accepted."""

from typing import Final

from sqlalchemy import BigInteger, Column, Connection, Index, MetaData, String, Table, delete

from materials.store.insert import insert_unless_taken
from materials.times import SKEW_SECONDS

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


def use_nonce(connection: Connection, *, keyid: str, nonce: str, expires: int, now: int) -> bool:
    """Take ``nonce`` for good; False if it was taken before. To be committed before the request has any effect.

    Nonces of signatures that expired, with the allowance for clocks, are dropped on the way.
    """
    connection.execute(delete(request_nonces).where(request_nonces.c.forget_at < now))
    values = {"keyid": keyid, "nonce": nonce, "forget_at": expires + SKEW_SECONDS}
    return insert_unless_taken(connection, request_nonces, values)
