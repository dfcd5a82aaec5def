"""Delete reports that nobody needs any more: file and row together.

Reads and shortens ``ops.report_runs``, the messages about those runs, and the report files. The file goes
first: a run that is killed in between leaves a row, which the next one deletes. Leftovers of killed
writers go, too. Safe to repeat: what is gone is gone.
"""

import json
from datetime import timedelta
from typing import TypedDict

from prefect import get_run_logger

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.delivery import prune
from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.results import FlowResult, Status, flow_result
from analytics_worker.prefect_support.retries import REPORT_CLEANUP
from analytics_worker.prefect_support.task import task
from analytics_worker.report_storage.storage import Folder, StorageError, storage
from analytics_worker.settings import settings

MOST_LISTED = 200


class Expired(TypedDict):
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
    """What `cleanup_old_reports` reports."""

    dry_run: bool
    deleted: int
    files: int
    bytes: int
    leftovers: int
    """Temporary files of writers that were killed."""
    failed: dict[str, str]
    """Files that could not be deleted, and why; their rows stay."""
    reports: list[Expired]
    """The first of them."""


@task(**REPORT_CLEANUP, name="find expired reports")
def find_expired() -> list[Expired]:
    """Runs past the limits of the settings."""
    with warehouse() as connection:
        rows = run_sql(
            connection,
            "reports/expired_runs",
            days=settings().report_retention_days,
            most=settings().report_retention_count,
            most_bytes=settings().report_retention_mb * 1_000_000,
        )
    return [
        Expired(**{**row, "files": [file["name"] for file in row["files"]]})  # pyright: ignore[reportArgumentType]
        for row in rows
    ]


@task(**REPORT_CLEANUP, name="delete report")
def delete(expired: Expired) -> str | None:
    """Files, then row, and with it its messages; or why not."""
    try:
        place = storage(expired["storage"])
        for name in expired["files"]:
            place.remove(name)
    except (OSError, StorageError) as error:
        return str(error)
    with warehouse() as connection:
        run_sql(connection, "reports/delete_run", id=expired["id"])
    return None


@task(**REPORT_CLEANUP, name="delete digests")
def delete_digests() -> int:
    """Messages that stood for others and are about no run; how many."""
    age = timedelta(days=settings().report_retention_days)
    with warehouse() as connection:
        return prune(connection, "reports", age, kind="digest")


@task(**REPORT_CLEANUP, name="delete leftovers")
def delete_leftovers(*, dry_run: bool) -> int:
    """Temporary files that nobody writes any more; how many."""
    return Folder(settings().report_output_dir, "", None).clear(dry_run=dry_run)


@flow(timeout_seconds=3600)
def cleanup_old_reports(dry_run: bool = False) -> ReportCleanup:
    """Delete reports by age, number and size, never the last good one of a report.

    Args:
        dry_run: Only say what would be deleted.
    """
    expired = find_expired()
    failed: dict[str, str] = {}
    for each in [] if dry_run else expired:
        reason = delete(each)
        if reason is not None:
            get_run_logger().error("%s stays: %s", ", ".join(each["files"]), reason)
            failed[json.dumps(each["files"])] = reason
    leftovers = delete_leftovers(dry_run=dry_run)
    if not dry_run:
        delete_digests()
    gone = [each for each in expired if json.dumps(each["files"]) not in failed]
    size = sum(each["bytes"] for each in gone)
    verb = "to delete" if dry_run else "deleted"
    message = f"{len(gone)} reports of {size / 1e6:,.1f} MB {verb}, {leftovers} leftovers"
    message += f", {len(failed)} could not be deleted" if failed else ""
    status: Status = "success" if not failed else "partial" if gone else "failed"
    return ReportCleanup(
        **flow_result(status, message),
        dry_run=dry_run,
        deleted=len(gone),
        files=sum(len(each["files"]) for each in gone),
        bytes=size,
        leftovers=leftovers,
        failed=failed,
        reports=gone[:MOST_LISTED],
    )
