"""A witness over a database: one committed transaction for each request, as the service does it."""

import time
from multiprocessing.connection import Connection as Pipe

from sqlalchemy import Engine

from ledger.database import open_engine, reading
from ledger.witness import Conflict, Cosigned, Cosigner, Suspicion, TrustedLogs, open_request
from ledger.witness_store import Evidence, SqlWitness, WitnessedHead
from ledger.witness_tables import metadata
from signing import Ed25519Signer, Secret
from tests.support.witness_log import HandLog

NAME = "witness.example/w1"
SIGNER = Ed25519Signer(Secret(bytes(32)))
PUBLIC = SIGNER.public_key.raw
NOW = 1700000000


def make_tables(engine: Engine) -> None:
    """The witness's tables."""
    with engine.begin() as connection:
        metadata.create_all(connection)


def ask(engine: Engine, log: HandLog, request: bytes, now: int = NOW) -> Cosigned | Conflict | Suspicion:
    """What the witness answers; committed."""
    signed = open_request(request, TrustedLogs.parse([log.vkey]))
    with engine.begin() as connection:
        return SqlWitness(connection).add(signed, Cosigner(NAME, SIGNER), now)


def head_of(engine: Engine, log: HandLog) -> WitnessedHead | None:
    """What is remembered of a log."""
    with reading(engine).connect() as connection:
        heads = [head for head in SqlWitness(connection).heads() if head.checkpoint.origin == log.origin]
    return heads[0] if heads else None


def kept(engine: Engine) -> list[Evidence]:
    """The evidence."""
    with reading(engine).connect() as connection:
        return list(SqlWitness(connection).evidence())


def ask_and_hang(url: str, seed: bytes, request: bytes, committed: bool, pipe: Pipe) -> None:
    """In a process of its own: answer a request up to just before or just after the commit, tell so, and hang."""
    engine, log = open_engine(url), HandLog(seed=seed)
    signed = open_request(request, TrustedLogs.parse([log.vkey]))
    connection = engine.connect()
    transaction = connection.begin()
    SqlWitness(connection).add(signed, Cosigner(NAME, SIGNER), NOW)
    if committed:
        transaction.commit()
    pipe.send("here")
    time.sleep(60)
