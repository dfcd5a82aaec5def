"""Delete what is past its time: runs and their results, logs, workers, deployments, keys in Redis.

Reads and deletes through the Prefect API, below the folders of results and logs, and in Redis; the age
is RUN_RETENTION_DAYS. Safe to repeat, and to interrupt: each batch is complete in itself. Events are for
the server's own vacuum, which nobody else can do; here it is told whether it does.
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
from flows.monitoring._expired_events import WaitingEvents, waiting_events
from flows.monitoring._expired_files import expired_logs, expired_results, size_of
from flows.monitoring._expired_keys import delete_keys, expired_keys
from flows.monitoring._expired_runs import (
    ExpiredRuns,
    count_expired_runs,
    delete_expired_runs,
    delete_worker,
    gone_deployments,
    stale_workers,
)

MOST_RUNS = 20_000  # in one go; what is left is for the next time
STALE_WORKER = timedelta(days=1)
BATCH = 500


class Expired(TypedDict):
    """What was deleted, or would be."""

    items: int
    bytes: int


class ExpiredTasks(FlowResult):
    """What `cleanup_expired_tasks` reports."""

    preview: bool
    retention_days: int
    deleted: dict[str, Expired]
    waiting_events: WaitingEvents
    total: int
    bytes: int


@task(**MONITORING, name="ended runs")
def clean_runs(before: datetime, *, preview: bool) -> dict[str, Expired]:
    """Ended runs with their artifacts and logs, a batch at a time."""
    found = ExpiredRuns()
    with get_client(sync_client=True) as client:
        if preview:
            found = count_expired_runs(client, before, MOST_RUNS)
        while not preview and found.runs < MOST_RUNS:
            batch = delete_expired_runs(client, before)
            found = found.plus(batch)
            if not batch.runs:
                break
    return {name: Expired(items=items, bytes=0) for name, items in found._asdict().items()}


@task(**MONITORING, name="files")
def clean_files(before: datetime, *, preview: bool) -> dict[str, Expired]:
    """Results and rotated logs."""
    return {
        "results": _unlink(expired_results(before), preview=preview),
        "log files": _unlink(expired_logs(before), preview=preview),
    }


@task(**MONITORING, name="workers and deployments")
def clean_server(*, preview: bool) -> dict[str, Expired]:
    """Workers that are gone, and deployments that prefect.yaml does not have any more."""
    with get_client(sync_client=True) as client:
        workers = list(stale_workers(client, datetime.now(UTC) - STALE_WORKER))
        deployments = gone_deployments(client)
        for pool, worker in [] if preview else workers:
            delete_worker(client, pool, worker)
        for deployment in [] if preview else deployments.values():
            client.delete_deployment(deployment.id)
    return {
        "workers": Expired(items=len(workers), bytes=0),
        "deployments": Expired(items=len(deployments), bytes=0),
    }


@task(**MONITORING, name="keys in redis")
def clean_keys(before: datetime, *, preview: bool) -> dict[str, Expired]:
    """Breakers and results that nobody uses."""
    total, found = 0, expired_keys(before)
    while keys := list(islice(found, BATCH)):
        total += len(keys)
        if not preview:
            delete_keys(keys)
    return {"redis keys": Expired(items=total, bytes=0)}


@task(**MONITORING, name="events")
def look_at_events() -> WaitingEvents:
    """Events that the server has not deleted yet."""
    with get_client(sync_client=True) as client:
        return waiting_events(client, datetime.now(UTC))


@flow(timeout_seconds=3600)
def cleanup_expired_tasks(preview: bool = False) -> ExpiredTasks:
    """Delete ended runs, results, logs, workers, deployments and Redis keys that are past their time.

    Args:
        preview: Only count what would be deleted.
    """
    days = settings().run_retention_days
    before = datetime.now(UTC) - timedelta(days=days)
    deleted = {
        **clean_runs(before, preview=preview),
        **clean_files(before, preview=preview),
        **clean_server(preview=preview),
        **clean_keys(before, preview=preview),
    }
    total = sum(section["items"] for section in deleted.values())
    freed = sum(section["bytes"] for section in deleted.values())
    events = look_at_events()
    return ExpiredTasks(
        **judge(_sentence(deleted, freed, days, preview=preview), events),
        preview=preview,
        retention_days=days,
        deleted=deleted,
        waiting_events=events,
        total=total,
        bytes=freed,
    )


def _unlink(paths: Iterable[Path], *, preview: bool) -> Expired:
    items = freed = 0
    for path in paths:
        items, freed = items + 1, freed + size_of(path)
        if not preview:
            path.unlink(missing_ok=True)
    return Expired(items=items, bytes=freed)


def _sentence(deleted: dict[str, Expired], freed: int, days: int, *, preview: bool) -> str:
    found = [
        f"{section['items']:,} {name}" for name, section in deleted.items() if section["items"]
    ]
    if not found:
        return f"nothing is older than {days} days"
    verb = "to delete" if preview else "deleted"
    return f"{', '.join(found)} {verb}, {freed / 1e6:.1f} MB of files"


def judge(sentence: str, events: WaitingEvents) -> FlowResult:
    """The outcome of the clean-up, partial if nobody deletes the events."""
    if overdue := events["overdue"]:
        return flow_result(
            "partial",
            f"{sentence}; {overdue:,} events should be deleted by the server's vacuum and are not:"
            " PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED=events,flow_runs",
        )
    waiting = f"; {events['items']:,} events wait for the server's vacuum"
    return flow_result("success", sentence + (waiting if events["items"] else ""))
