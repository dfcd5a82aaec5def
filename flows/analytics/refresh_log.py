"""Delete expired rows of the histories, in batches.

Reads and deletes from ``ops.refresh_log``, ``ops.catalog_changes``, ``ops.completeness_history``, ``ops.query_statistics`` and
``ops.dbt_runs``; the retention is REFRESH_LOG_RETENTION_DAYS. Safe to repeat: deleted rows stay deleted.
"""

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.results import FlowResult, flow_result
from analytics_worker.prefect_support.retries import CLEANUP
from analytics_worker.prefect_support.task import task
from analytics_worker.settings import settings

BATCH_SIZE = 10_000
HISTORIES = (
    "refresh_log",
    "catalog_changes",
    "completeness_history",
    "missing_relations",
    "query_statistics",
    "query_texts",
    "dbt_runs",
)
"""Each has a statement ``expired_<history>.sql``; texts come after the statistics that use them."""


class Cleanup(FlowResult):
    """Result of `cleanup_old_refresh_logs`."""

    dry_run: bool
    retention_days: int
    deleted: dict[str, int]
    """Rows by history; in a dry run, the rows that would be deleted."""
    total: int


@task(**CLEANUP, task_run_name="delete expired {history}")
def delete_expired(history: str, days: int, *, dry_run: bool) -> int:
    """Delete the expired rows of a history, one transaction per batch; return their number."""
    total = 0
    while True:
        with warehouse() as connection:
            row = run_sql(
                connection,
                f"analytics/expired_{history}",
                days=days,
                batch=None if dry_run else BATCH_SIZE,
                preview=dry_run,
            )[0]
        total += row["expired"]
        if dry_run or row["expired"] < BATCH_SIZE:
            return total


@flow(timeout_seconds=3600)
def cleanup_old_refresh_logs(dry_run: bool = False) -> Cleanup:
    """Delete expired rows of the refresh log and the other histories of the worker.

    Args:
        dry_run: Only count what would be deleted.
    """
    days = settings().refresh_log_retention_days
    deleted = {history: delete_expired(history, days, dry_run=dry_run) for history in HISTORIES}
    total = sum(deleted.values())
    message = f"{total:,} rows older than {days} days {'to delete' if dry_run else 'deleted'}"
    return Cleanup(
        **flow_result("success", message),
        dry_run=dry_run,
        retention_days=days,
        deleted=deleted,
        total=total,
    )
