"""Alembic's entry: runs revisions on the connection that resources.migrations hands over. No engine here."""

from alembic import context

from resources.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    compare_type=True,
    # SQLite can hardly ALTER: Alembic then copies the table.
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
