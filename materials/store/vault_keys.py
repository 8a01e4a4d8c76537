"""Data keys of encrypted objects, in SQL."""

from sqlalchemy import Connection, insert, select, update

from materials.ids import MaterialId
from materials.registry.records import VaultObject
from materials.store.tables import material_vault_object

_rows = material_vault_object.c


class SqlVaultKeys:
    """``VaultKeys`` on one connection."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def add(self, vault_object: VaultObject) -> None:
        """See ``VaultKeys.add``."""
        self._conn.execute(
            insert(material_vault_object).values(
                object_id=vault_object.object_id,
                jti=vault_object.jti,
                part=vault_object.part,
                wrapped_key=vault_object.wrapped_key,
                sealed=vault_object.sealed,
            )
        )

    def find(self, jti: MaterialId, part: str) -> VaultObject | None:
        """See ``VaultKeys.find``."""
        row = self._conn.execute(
            select(material_vault_object).where(_rows.jti == jti, _rows.part == part)
        ).one_or_none()
        return None if row is None else VaultObject(row.object_id, row.jti, row.part, row.wrapped_key, row.sealed)

    def destroy(self, jti: MaterialId) -> None:
        """See ``VaultKeys.destroy``."""
        self._conn.execute(update(material_vault_object).where(_rows.jti == jti).values(wrapped_key=None, sealed=None))

    def is_live(self, object_id: str) -> bool:
        """See ``VaultKeys.is_live``."""
        query = select(_rows.object_id).where(_rows.object_id == object_id, _rows.wrapped_key.is_not(None))
        return self._conn.execute(query).one_or_none() is not None
