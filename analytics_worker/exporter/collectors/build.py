"""Report the installed versions. Reads the installed packages."""

import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

from analytics_worker.exporter.collectors import Collector, Samples
from analytics_worker.exporter.metric_families import Family

INFO = Family(
    "build_info",
    "gauge",
    "Always 1; the labels are the versions in use.",
    ("version", "prefect", "python"),
)


class Build(Collector):
    """Report the installed versions."""

    name = "build"
    families = (INFO,)
    every_seconds = 3600.0

    def collect(self) -> Iterable[Samples]:
        """Ask the package metadata."""
        labels = (_version("analytics-worker"), _version("prefect"), platform.python_version())
        yield INFO, {labels: 1.0}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
