"""Shell: every trust list this home ever published, by its number. None is changed or removed."""

from sqlalchemy import BigInteger, Column, Connection, Table, Text, select

from materials.store.insert import insert_unless_taken
from materials.store.metadata import metadata
from signing import UnavailableError

trust_list = Table(
    "trust_list",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("iat", BigInteger, nullable=False),
    Column("token", Text, nullable=False),
)


class SqlTrustStore:
    """Trust lists on one connection; the caller commits."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def keep(self, seq: int, iat: int, token: str) -> None:
        """Add list number ``seq``. Raises UnavailableError ``trust.conflict`` if another writer took the number."""
        if not insert_unless_taken(self._connection, trust_list, {"seq": seq, "iat": iat, "token": token}):
            raise UnavailableError("trust.conflict", f"trust list {seq} was published by another process: run again")

    def latest(self) -> str | None:
        """The list published last."""
        query = select(trust_list.c.token).order_by(trust_list.c.seq.desc()).limit(1)
        return self._connection.execute(query).scalar()

    def all(self) -> list[str]:
        """Every list, oldest first."""
        return [token for _, _, token in self.rows()]

    def rows(self) -> list[tuple[int, int, str]]:
        """Number, date and text of every list, oldest first, as they are stored."""
        query = select(trust_list.c.seq, trust_list.c.iat, trust_list.c.token).order_by(trust_list.c.seq)
        return [(seq, iat, token) for seq, iat, token in self._connection.execute(query)]
