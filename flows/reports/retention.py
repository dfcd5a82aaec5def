"""Delete expired reports: files and row together.

Reads and shortens ``ops.report_runs``, the messages about those runs, and the report files. The files are
deleted first: a run that is killed in between leaves a row, which the next one deletes. Temporary files of
killed writers are deleted, too. Safe to repeat.
"""

import json
from datetime import timedelta
from typing import TypedDict

from prefect import get_run_logger

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.delivery import prune
from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.results import FlowResult, flow_result, status_of
from analytics_worker.prefect_support.retries import REPORT_CLEANUP
from analytics_worker.prefect_support.task import task
from analytics_worker.report_storage.storage import FolderStorage, StorageError, open_storage
from analytics_worker.settings import settings

MAX_LISTED = 200


class ExpiredRun(TypedDict):
    """A report run to delete."""

    id: int
    report: str
    period: str
    key: str
    storage: str
    files: list[str]
    bytes: int
    why: str
    """age, count or bytes."""


class ReportCleanup(FlowResult):
    """Result of `cleanup_old_reports`."""

    dry_run: bool
    deleted: int
    files: int
    bytes: int
    leftovers: int
    """Number of temporary files of killed writers."""
    failed: dict[str, str]
    """Files that could not be deleted, and why; their rows stay."""
    reports: list[ExpiredRun]
    """The first `MAX_LISTED` of the deleted runs."""


@task(**REPORT_CLEANUP, name="find expired reports")
def find_expired_runs() -> list[ExpiredRun]:
    """Return the runs that exceed the limits of the settings."""
    with warehouse() as connection:
        rows = run_sql(
            connection,
            "reports/expired_runs",
            days=settings().report_retention_days,
            max_runs=settings().report_retention_count,
            max_bytes=settings().report_retention_mb * 1_000_000,
        )
    return [
        ExpiredRun(**{**row, "files": [file["name"] for file in row["files"]]})  # pyright: ignore[reportArgumentType]
        for row in rows
    ]


@task(**REPORT_CLEANUP, name="delete report")
def delete_run(run: ExpiredRun) -> str | None:
    """Delete the files, then the row with its messages; return why not, or None."""
    try:
        storage = open_storage(run["storage"])
        for name in run["files"]:
            storage.remove(name)
    except (OSError, StorageError) as error:
        return str(error)
    with warehouse() as connection:
        run_sql(connection, "reports/delete_run", id=run["id"])
    return None


@task(**REPORT_CLEANUP, name="delete digests")
def delete_digests() -> int:
    """Delete old digests, which belong to no run; return how many."""
    age = timedelta(days=settings().report_retention_days)
    with warehouse() as connection:
        return prune(connection, "reports", age, kind="digest")


@task(**REPORT_CLEANUP, name="delete temporary files")
def delete_temporary_files(*, dry_run: bool) -> int:
    """Delete the temporary files of killed writers; return how many."""
    folder = FolderStorage(settings().report_output_dir, "", None)
    return folder.remove_abandoned(dry_run=dry_run)


@flow(timeout_seconds=3600)
def cleanup_old_reports(dry_run: bool = False) -> ReportCleanup:
    """Delete reports by age, number and size, never the last successful one of a report.

    Args:
        dry_run: Only report what would be deleted.
    """
    expired = find_expired_runs()
    failed = {} if dry_run else _delete_runs(expired)
    temporary_files = delete_temporary_files(dry_run=dry_run)
    if not dry_run:
        delete_digests()
    deleted = [run for run in expired if json.dumps(run["files"]) not in failed]
    size = sum(run["bytes"] for run in deleted)
    verb = "to delete" if dry_run else "deleted"
    message = f"{len(deleted)} reports of {size / 1e6:,.1f} MB and {temporary_files} temporary files {verb}"
    message += f", {len(failed)} could not be deleted" if failed else ""
    return ReportCleanup(
        **flow_result(status_of(succeeded=len(deleted), failed=len(failed)), message),
        dry_run=dry_run,
        deleted=len(deleted),
        files=sum(len(run["files"]) for run in deleted),
        bytes=size,
        leftovers=temporary_files,
        failed=failed,
        reports=deleted[:MAX_LISTED],
    )


def _delete_runs(expired: list[ExpiredRun]) -> dict[str, str]:
    """Delete runs; return the files that could not be deleted, and why."""
    failed: dict[str, str] = {}
    for run in expired:
        reason = delete_run(run)
        if reason is not None:
            get_run_logger().error("could not delete %s: %s", ", ".join(run["files"]), reason)
            failed[json.dumps(run["files"])] = reason
    return failed
