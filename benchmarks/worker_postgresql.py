"""What a flow run costs with the Prefect server on PostgreSQL: our worker beside Prefect's."""

from benchmarks._servers import kinds
from benchmarks.table import Row
from benchmarks.worker import beside_stock
from tests.support.contrib_postgres import MISSING


def measure() -> list[Row]:
    """Nothing where this host has no PostgreSQL that a Prefect server could use."""
    if "PostgreSQL" in kinds():
        return beside_stock("PostgreSQL")
    print(f"skipped: {MISSING}")
    return []
