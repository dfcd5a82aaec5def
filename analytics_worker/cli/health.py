"""``analytics-worker health``: whether a service of this host is alive. `analytics_worker.stack.health` documents what it reads."""

from enum import StrEnum
from typing import Annotated

import typer


class Service(StrEnum):
    """What can be checked."""

    SERVER = "server"
    WORKER = "worker"
    EXPORTER = "exporter"
    UP = "up"


def health(
    service: Annotated[
        Service | None,
        typer.Argument(help="What to check. Default: what this container runs."),
    ] = None,
) -> None:
    """Check that a service of this host is alive; 1 if it is not."""
    from analytics_worker.stack.health import container_service, problems  # noqa: PLC0415  # --help answers at once

    name = service or container_service()
    found = list(problems(name))
    for problem in found:
        typer.secho(problem, err=True, fg="red")
    if found:
        raise typer.Exit(1)
    typer.echo(f"{name}: ok")
