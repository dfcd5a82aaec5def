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
    from analytics_worker.cli.errors import exit_on_error  # noqa: PLC0415
    from analytics_worker.cli.output import echo  # noqa: PLC0415

    with exit_on_error():
        migration = migrations.migrate(grant_reader=grant_reader)
        echo(f"Schema ops is at revision {migration.revision}.")
        for note in migration.notes:
            echo(note)
