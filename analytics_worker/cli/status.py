"""``analytics-worker status``: what runs, what waits, what went wrong. Reads only.

With a PREFECT_API_URL that is not that of the local stack: what that API says.
"""

import typer

from analytics_worker.settings import settings, user_variables
from analytics_worker.stack_address import API_URL, is_stack_address


def status() -> None:
    """Show components of the stack here, pools, and the last and next run of every deployment; 1 if something is down."""
    from analytics_worker.stack.state_dir import StateFolder  # noqa: PLC0415  # --help answers at once

    url = user_variables().get(API_URL)
    is_other = bool(url) and not is_stack_address(url)
    record = None if is_other else StateFolder(settings().state_dir).read()
    if not is_other and (record is None or not record.is_running()):
        text = f"No stack runs in {settings().state_dir}: run `make up`, or set {API_URL}."
        typer.secho(text, err=True, fg="red")
        raise typer.Exit(1)
    from analytics_worker.stack.status_tables import show  # noqa: PLC0415

    healthy = show(record)
    if not healthy:
        raise typer.Exit(1)
