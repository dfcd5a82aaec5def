"""``analytics-worker migrate``: schema ``ops`` and the reader role; see `migrations`."""

from typing import Annotated

import typer


def migrate(
    grant_reader: Annotated[
        bool,
        typer.Option(
            "--grant-reader",
            help="Grant the role of READER_DATABASE_URL SELECT on ANALYTICS_SCHEMAS, now and for new relations.",
        ),
    ] = False,
) -> None:
    """Bring the worker's own tables (schema ops) and the reader role up to date."""
    from analytics_worker import migrations  # noqa: PLC0415  # imports Prefect

    migration = migrations.migrate(grant_reader=grant_reader)
    typer.echo(f"Schema ops is at revision {migration.revision}.")
    for note in migration.notes:
        typer.echo(note)
