"""SQL as text, run as it stands: to build a statement from SQLAlchemy's parts each time costs more than to run it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

BINARY: Final = "ledger_binary"
"""The execution option by which psycopg takes bytes as they are; otherwise in hex."""


class Statement:
    """A statement with a ``?`` for each parameter. Values come as the driver gives them; errors are SQLAlchemy's."""

    def __init__(self, text: str, postgresql: str = "", *, large: bool = False) -> None:
        """``text`` is for both databases; or, with ``postgresql``, for SQLite alone. ``large``: gives many bytes."""
        self._texts = {"sqlite": text, "postgresql": (postgresql or text).replace("?", "%s")}
        self._options = {BINARY: True} if large else None

    def rows(self, connection: Connection, *parameters: object) -> list[Any]:
        """All its rows."""
        text = self._texts[connection.dialect.name]
        return list(connection.exec_driver_sql(text, parameters, self._options).all())

    def value(self, connection: Connection, *parameters: object) -> Any:
        """The first value of its first row, or None without any."""
        found = self.rows(connection, *parameters)
        return found[0][0] if found else None

    def run(self, connection: Connection, *parameters: object) -> int:
        """How many rows it changed."""
        return connection.exec_driver_sql(self._texts[connection.dialect.name], parameters).rowcount

    def run_each(self, connection: Connection, many: Sequence[tuple[object, ...]]) -> None:
        """Run it with each of ``many``, at least one."""
        text = self._texts[connection.dialect.name]
        connection.exec_driver_sql(text, list(many) if len(many) > 1 else many[0])


_SET: Final = Statement("SAVEPOINT log_append")
_RELEASE: Final = Statement("RELEASE SAVEPOINT log_append")
_UNDO: Final = Statement("ROLLBACK TO SAVEPOINT log_append")


@contextmanager
def savepoint(connection: Connection) -> Iterator[Callable[[], None]]:
    """What the block wrote is taken back if it raises, or when it calls what it is given; the transaction stays the
    caller's. On PostgreSQL, locks had since then are given back with it.
    """
    _SET.run(connection)
    try:
        yield lambda: _undo(connection)
    except SQLAlchemyError:
        with suppress(SQLAlchemyError):  # the connection may be gone, or SQLite have rolled back by itself
            _undo(connection)
            _RELEASE.run(connection)
        raise
    except BaseException:
        _undo(connection)
        _RELEASE.run(connection)
        raise
    _RELEASE.run(connection)


def _undo(connection: Connection) -> None:
    _UNDO.run(connection)
