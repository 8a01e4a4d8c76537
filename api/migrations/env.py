"""Alembic's entry: runs the migrations on the connection that ``api.migrate`` passes in."""

from alembic import context

from api.schema import TABLES

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=list(TABLES))
with context.begin_transaction():
    context.run_migrations()
