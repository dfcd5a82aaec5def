"""Delete expired runs and their results, logs, workers, deployments and keys in Redis.

Reads and deletes through the Prefect API, below the folders of results and logs, and in Redis. The age is
RUN_RETENTION_DAYS. Safe to repeat and to interrupt: each batch is complete. Only the server's own vacuum can
delete events; the result reports whether it does.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TypedDict

from prefect import get_client

from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.results import FlowResult, flow_result
from analytics_worker.prefect_support.retries import MONITORING
from analytics_worker.prefect_support.task import task
from analytics_worker.settings import settings
from flows.monitoring.cleanup.events import WaitingEvents, waiting_events
from flows.monitoring.cleanup.files import expired_logs, expired_results, size_of
from flows.monitoring.cleanup.keys import delete_keys, expired_keys
from flows.monitoring.cleanup.runs import (
    ExpiredRuns,
    count_expired_runs,
    delete_expired_runs,
    delete_worker,
    removed_deployments,
    stale_workers,
)

MAX_RUNS = 20_000  # in one run of the flow; the next run deletes the others
STALE_WORKER = timedelta(days=1)
BATCH = 500


class Expired(TypedDict):
    """Numbers of items and bytes that were deleted, or would be."""

    items: int
    bytes: int


class ExpiredTasks(FlowResult):
    """The result of `cleanup_expired_tasks`."""

    preview: bool
    retention_days: int
    deleted: dict[str, Expired]
    waiting_events: WaitingEvents
    total: int
    bytes: int


@task(**MONITORING, name="delete ended runs")
def delete_runs(before: datetime, *, dry_run: bool) -> dict[str, Expired]:
    """Delete ended runs with their artifacts and logs, one batch at a time."""
    total = ExpiredRuns()
    with get_client(sync_client=True) as client:
        if dry_run:
            total = count_expired_runs(client, before, MAX_RUNS)
        while not dry_run and total.runs < MAX_RUNS:
            batch = delete_expired_runs(client, before)
            total = total.plus(batch)
            if not batch.runs:
                break
    return {name: Expired(items=items, bytes=0) for name, items in total._asdict().items()}


@task(**MONITORING, name="delete files")
def delete_files(before: datetime, *, dry_run: bool) -> dict[str, Expired]:
    """Delete persisted results and rotated logs."""
    return {
        "results": _unlink(expired_results(before), dry_run=dry_run),
        "log files": _unlink(expired_logs(before), dry_run=dry_run),
    }


@task(**MONITORING, name="delete workers and deployments")
def delete_workers_and_deployments(*, dry_run: bool) -> dict[str, Expired]:
    """Delete offline workers, and deployments that were removed from prefect.yaml."""
    with get_client(sync_client=True) as client:
        workers = list(stale_workers(client, datetime.now(UTC) - STALE_WORKER))
        deployments = removed_deployments(client)
        for pool, worker in [] if dry_run else workers:
            delete_worker(client, pool, worker)
        for deployment in [] if dry_run else deployments.values():
            client.delete_deployment(deployment.id)
    return {
        "workers": Expired(items=len(workers), bytes=0),
        "deployments": Expired(items=len(deployments), bytes=0),
    }


@task(**MONITORING, name="delete Redis keys")
def delete_unused_keys(before: datetime, *, dry_run: bool) -> dict[str, Expired]:
    """Delete unused circuit breakers and results of the Celery worker."""
    total, expired = 0, expired_keys(before)
    while keys := list(islice(expired, BATCH)):
        total += len(keys)
        if not dry_run:
            delete_keys(keys)
    return {"redis keys": Expired(items=total, bytes=0)}


@task(**MONITORING, name="count events")
def count_waiting_events() -> WaitingEvents:
    """Count events that the server has not deleted yet."""
    with get_client(sync_client=True) as client:
        return waiting_events(client, datetime.now(UTC))


@flow(timeout_seconds=3600)
def cleanup_expired_tasks(dry_run: bool = False) -> ExpiredTasks:
    """Delete expired runs, results, logs, workers, deployments and Redis keys.

    Args:
        dry_run: Count what would be deleted, and delete nothing.
    """
    days = settings().run_retention_days
    before = datetime.now(UTC) - timedelta(days=days)
    deleted = {
        **delete_runs(before, dry_run=dry_run),
        **delete_files(before, dry_run=dry_run),
        **delete_workers_and_deployments(dry_run=dry_run),
        **delete_unused_keys(before, dry_run=dry_run),
    }
    total = sum(section["items"] for section in deleted.values())
    freed = sum(section["bytes"] for section in deleted.values())
    events = count_waiting_events()
    return ExpiredTasks(
        **retention_result(_summary_line(deleted, freed, days, dry_run=dry_run), events),
        preview=dry_run,
        retention_days=days,
        deleted=deleted,
        waiting_events=events,
        total=total,
        bytes=freed,
    )


def _unlink(paths: Iterable[Path], *, dry_run: bool) -> Expired:
    items = freed = 0
    for path in paths:
        items, freed = items + 1, freed + size_of(path)
        if not dry_run:
            path.unlink(missing_ok=True)
    return Expired(items=items, bytes=freed)


def _summary_line(deleted: dict[str, Expired], freed: int, days: int, *, dry_run: bool) -> str:
    parts = [
        f"{section['items']:,} {name}" for name, section in deleted.items() if section["items"]
    ]
    if not parts:
        return f"nothing is older than {days} days"
    verb = "to delete" if dry_run else "deleted"
    return f"{', '.join(parts)} {verb}, {freed / 1e6:.1f} MB of files"


def retention_result(summary: str, events: WaitingEvents) -> FlowResult:
    """Return the common fields of the result: partial if the server does not delete events."""
    if overdue := events["overdue"]:
        return flow_result(
            "partial",
            f"{summary}; {overdue:,} events were not deleted by the server's vacuum; enable it:"
            " PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED=events,flow_runs",
        )
    waiting = f"; {events['items']:,} events wait for the server's vacuum"
    return flow_result("success", summary + (waiting if events["items"] else ""))
