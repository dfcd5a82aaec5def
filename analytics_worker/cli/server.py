"""``analytics-worker server``: the Prefect server alone. `analytics_worker.stack.server_alone` documents what it writes."""

import os
from typing import Annotated

import typer

Host = Annotated[
    str | None,
    typer.Option(
        help="Address to listen on; 0.0.0.0 is every address of this host. Default: PREFECT_SERVER_API_HOST or 127.0.0.1."
    ),
]
Port = Annotated[int | None, typer.Option(help="Default: PREFECT_SERVER_API_PORT or 4200.")]


def server(host: Host = None, port: Port = None) -> None:
    """Serve the Prefect API and UI alone, for workers on several hosts."""
    from analytics_worker.stack.server_alone import serve  # noqa: PLC0415  # --help answers at once

    options = {"PREFECT_SERVER_API_HOST": host, "PREFECT_SERVER_API_PORT": port}
    chosen = {name: str(value) for name, value in options.items() if value is not None}
    os.environ.update(chosen)  # noqa: TID251  # Prefect's own variables
    serve()
