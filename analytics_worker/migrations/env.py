"""Run by Alembic: applies the revisions on the connection that `migrations.upgrade` opened."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table_schema="ops",
    transactional_ddl=True,
)
context.run_migrations()
