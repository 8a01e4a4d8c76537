"""The tables of all packages, as alembic compares them with a database. Each package owns its own."""

from typing import Final

import anchors.tables
import ledger.child_tables
import ledger.tables
import ledger.witness_tables
from api.http import nonces
from materials.store import grant_tables, parents, tables, trust
from materials.store.metadata import metadata

MATERIAL_TABLES: Final = (tables, grant_tables, parents, trust)
"""The modules that fill the metadata of materials when they are imported."""

TABLES: Final = (
    ledger.tables.metadata,
    ledger.child_tables.metadata,
    ledger.witness_tables.metadata,
    anchors.tables.metadata,
    metadata,
    nonces.metadata,
)
