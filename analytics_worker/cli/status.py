"""``analytics-worker status``: what runs, what waits, what went wrong. Reads only."""

import typer

from analytics_worker.settings import settings


def status() -> None:
    """Show components, pools, and the last and next run of every deployment; 1 if something is down."""
    from analytics_worker.stack.state_dir import StateFolder  # noqa: PLC0415  # --help answers at once

    record = StateFolder(settings().state_dir).read()
    if record is None or not record.is_running():
        typer.secho(f"No stack runs in {settings().state_dir}: run `make up`.", err=True, fg="red")
        raise typer.Exit(1)
    from analytics_worker.stack.status_tables import show  # noqa: PLC0415

    healthy = show(record)
    if not healthy:
        raise typer.Exit(1)
