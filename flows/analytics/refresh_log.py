"""Delete what the histories no longer need to remember, a batch at a time.

Reads and shortens ``ops.refresh_log``, ``ops.catalog_changes``, ``ops.query_statistics`` and
``ops.dbt_runs``; the age is REFRESH_LOG_RETENTION_DAYS. Safe to repeat: what is gone is gone.
"""

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.results import FlowResult, outcome
from analytics_worker.prefect_support.retries import CLEANUP
from analytics_worker.prefect_support.task import task
from analytics_worker.settings import settings

BATCH = 10_000
HISTORIES = (
    "refresh_log",
    "catalog_changes",
    "missing_relations",
    "query_statistics",
    "query_texts",
    "dbt_runs",
)
"""Each has a statement ``expired_<history>.sql``; texts come after the statistics that use them."""


class Cleanup(FlowResult):
    """What `cleanup_old_refresh_logs` reports."""

    dry_run: bool
    retention_days: int
    deleted: dict[str, int]
    """Rows by history; on a dry run, those that would be deleted."""
    total: int


@task(**CLEANUP, task_run_name="clean {history}")
def clean(history: str, days: int, *, dry_run: bool) -> int:
    """Delete a history's expired rows, each batch in its own transaction; how many there were."""
    total = 0
    while True:
        with warehouse() as connection:
            row = run_sql(
                connection,
                f"analytics/expired_{history}",
                days=days,
                batch=None if dry_run else BATCH,
                preview=dry_run,
            )[0]
        total += row["expired"]
        if dry_run or row["expired"] < BATCH:
            return total


@flow(timeout_seconds=3600)
def cleanup_old_refresh_logs(dry_run: bool = False) -> Cleanup:
    """Delete old rows of the refresh log and of the other histories that the worker keeps.

    Args:
        dry_run: Only count what would be deleted.
    """
    days = settings().refresh_log_retention_days
    deleted = {history: clean(history, days, dry_run=dry_run) for history in HISTORIES}
    total = sum(deleted.values())
    message = f"{total:,} rows older than {days} days {'to delete' if dry_run else 'deleted'}"
    return Cleanup(
        **outcome("success", message),
        dry_run=dry_run,
        retention_days=days,
        deleted=deleted,
        total=total,
    )
