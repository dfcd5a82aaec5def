"""The analytics database made ready: migrations, and a sample warehouse where it is embedded and empty.

Writes schema ``ops`` and, only into the embedded database, schema ``raw``. Safe to repeat.
"""

import time

from sqlalchemy.exc import OperationalError

from analytics_worker.database.connections import direct_connection, warehouse_url
from analytics_worker.database.libpq_url import connection_problem
from analytics_worker.database.pooler import pooled_variables, warning
from analytics_worker.migrations import migrate
from analytics_worker.stack.errors import StackError
from analytics_worker.stack.sample import is_empty, load_sample


def prepare(*, sample: bool, scale: float, opportunities: int | None) -> list[str]:
    """Bring the database up to date; a line for each thing that was done.

    Args:
        sample: Whether an empty database gets the sample: never one that is the user's.
        scale: Size of the sample.
        opportunities: Size of the sample, exactly.
    """
    try:
        migration = migrate(sample=sample)
    except OperationalError as error:
        raise StackError(
            f"The database became unavailable: {connection_problem(str(error.orig))}"
        ) from None
    lines = [f"schema ops at revision {migration.revision}", *migration.notes]
    lines += [warning(variable, fix) for variable, fix in pooled_variables()]
    if sample:
        lines += _load_sample(scale, opportunities)
    return lines


def _load_sample(scale: float, opportunities: int | None) -> list[str]:
    with direct_connection(warehouse_url()) as connection:
        if not is_empty(connection):
            return []
        started = time.monotonic()
        counts = load_sample(connection, scale, opportunities=opportunities)
    seconds = time.monotonic() - started
    return [f"sample warehouse of {counts.total:,} rows in {seconds:.1f} s (schema raw)"]
