"""Measure a flow run with the Prefect server on PostgreSQL."""

from benchmarks._servers import kinds
from benchmarks._table import Row
from benchmarks._worker_comparison import compare_workers
from tests.support.contrib_postgres import MISSING


def measure() -> list[Row]:
    """Return the rows of both workers; none if this host has no PostgreSQL for a Prefect server."""
    if "PostgreSQL" in kinds():
        return compare_workers("PostgreSQL")
    print(f"skipped: {MISSING}")
    return []
