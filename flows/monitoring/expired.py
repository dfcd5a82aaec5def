"""Delete what is past its time: runs and their results, logs, workers, deployments, keys in Redis.

Reads and deletes through the Prefect API, below the folders of results and logs, and in Redis; the age
is RUN_RETENTION_DAYS. Safe to repeat, and to interrupt: each batch is complete in itself. The server's
own vacuum stays on: it deletes events, and logs and artifacts that lost their run.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TypedDict

from prefect import get_client

from flows.monitoring._expired_files import expired_logs, expired_results, size_of
from flows.monitoring._expired_keys import delete_keys, expired_keys
from flows.monitoring._expired_runs import (
    count_expired_runs,
    delete_expired_runs,
    delete_worker,
    gone_deployments,
    stale_workers,
)
from toolkit.flow import flow
from toolkit.results import FlowResult, outcome
from toolkit.retries import MONITORING
from toolkit.settings import settings
from toolkit.task import task

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
    total: int
    bytes: int


@task(**MONITORING, name="ended runs")
def clean_runs(before: datetime, *, preview: bool) -> dict[str, Expired]:
    """Ended runs and their artifacts, a batch at a time."""
    total = artifacts = 0
    with get_client(sync_client=True) as client:
        if preview:
            return {"runs": Expired(items=count_expired_runs(client, before), bytes=0)}
        while total < MOST_RUNS:
            deleted, with_them = delete_expired_runs(client, before)
            total, artifacts = total + deleted, artifacts + with_them
            if not deleted:
                break
    return {"runs": Expired(items=total, bytes=0), "artifacts": Expired(items=artifacts, bytes=0)}


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
    return ExpiredTasks(
        **outcome("success", _sentence(deleted, freed, days, preview=preview)),
        preview=preview,
        retention_days=days,
        deleted=deleted,
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
