"""``analytics-worker exporter``: the metrics alone. `analytics_worker.exporter.app` documents what it reads and writes."""

import typer


def exporter() -> None:
    """Serve the metrics for Prometheus on PROMETHEUS_HOST and PROMETHEUS_PORT until a signal ends it."""
    from analytics_worker.exporter.app import serve  # noqa: PLC0415  # --help answers at once

    raise typer.Exit(serve())
