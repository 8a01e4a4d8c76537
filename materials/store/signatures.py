"""Further signatures over statements, in SQL."""

from sqlalchemy import Connection, select

from materials.ids import MaterialId
from materials.store.insert import insert_unless_taken
from materials.store.tables import statement_signature
from signing import UnavailableError

_rows = statement_signature.c


class SqlSignatureStore:
    """``SignatureStore`` on one connection. Numbers of a statement are unique: of two racers one starts over."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def add(self, jti: MaterialId, text: str) -> None:
        """See ``SignatureStore.add``."""
        kept = self.of(jti)
        if text in kept:
            return
        row = {"jti": jti, "number": len(kept), "text": text}
        if not insert_unless_taken(self._conn, statement_signature, row):
            raise UnavailableError("signature.conflict", "another signature of this statement was added just now")

    def of(self, jti: MaterialId) -> tuple[str, ...]:
        """See ``SignatureStore.of``."""
        return tuple(self._conn.execute(select(_rows.text).where(_rows.jti == jti).order_by(_rows.number)).scalars())
