"""``analytics-worker migrate``: schema ``ops`` and the reader role; see `migrations`."""

import typer


def migrate() -> None:
    """Bring the worker's own tables (schema ops) and the reader role up to date."""
    from analytics_worker.migrations import upgrade  # noqa: PLC0415

    typer.echo(f"Schema ops is at revision {upgrade()}.")
