"""Measure a flow run with the Prefect server on SQLite, which `make up` starts."""

from benchmarks._table import Row
from benchmarks._worker_comparison import compare_workers


def measure() -> list[Row]:
    """Return the rows of both workers."""
    return compare_workers("SQLite")
