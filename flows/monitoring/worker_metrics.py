"""Measure the worker every minute, end stuck runs, run lost requests again, and notify of incidents.

Reads /proc, the Prefect API and what fails in the tables of all domains. Writes one row to ``ops.worker_metrics``,
final states of stuck runs, new runs of lost requests, ``ops.deployment_health``, the promises, the incidents and the messages
about them. Without the database it still ends stuck runs
and notifies of the outage. Safe to repeat: a minute has one row, the end of a run is processed once, and a
message has the same key in all its attempts.
"""

import json
from datetime import UTC, datetime
from itertools import chain
from typing import Any, cast

from prefect import get_client, get_run_logger, task
from prefect.client.schemas.objects import FlowRun
from prefect.utilities.annotations import opaque
from sqlalchemy.exc import SQLAlchemyError

from analytics_worker.circuit_breaker import CircuitOpenError
from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.delivery import DeliveryCounts, counts_text
from analytics_worker.lineage.refused_reports import record_refused_reports
from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.results import FlowResult, flow_result
from analytics_worker.prefect_support.retries import MONITORING
from analytics_worker.settings import settings
from analytics_worker.text import counted, one_line
from flows.monitoring.deployment_health.update import update_health
from flows.monitoring.incidents.content import no_recipient_text
from flows.monitoring.incidents.update import IncidentUpdate
from flows.monitoring.lost_requests.rerun import Reruns, rerun_lost_requests
from flows.monitoring.measurements.host import Host, measure_host
from flows.monitoring.measurements.processes import ProcessMemory, measure_processes
from flows.monitoring.measurements.work_pools import PoolStatus, read_pools
from flows.monitoring.notifications.database_outage import notify_outage, notify_recovery
from flows.monitoring.notifications.deliveries import Deliveries, deliver_messages
from flows.monitoring.promises.update import refresh_promises
from flows.monitoring.runs.stuck_runs import FALLBACK_TIMEOUT, end_stuck

MIN_SAMPLES = 2


notify_database_recovery = task(**MONITORING, name="notify database recovery")(notify_recovery)
deliver = task(**MONITORING, name="deliver messages")(deliver_messages)


class WorkerMetrics(FlowResult):
    """The result of `collect_worker_metrics`."""

    host: Host
    processes: dict[str, ProcessMemory]
    pools: dict[str, PoolStatus]
    workers_online: int
    runs_running: int
    runs_waiting: int
    runs_late: int
    crashed_runs: list[str]
    """Stuck runs that were ended, and why."""
    incident_changes: list[str]
    """Incidents that were opened or resolved, by their cause."""
    lost_requests: list[str]
    """Requests of lost runs that run again or are given up, and why."""
    unread_problems: list[str]
    """Kinds of problems and promises that could not be read, and why; their incidents stay as they were."""
    untold: list[str]
    """Causes of incidents, and requests that were given up, without a notification, because there are no recipients."""
    failed_notifications: list[str]
    """Channels that did not accept a message of this run, and why; it is retried."""
    deliveries: DeliveryCounts
    """Due messages of this run and earlier ones."""


@task(**MONITORING, name="measure the worker")
def measure_worker() -> tuple[dict[str, Any], list[FlowRun]]:
    """Measure host, processes and work pools; return also the runs that hold a slot."""
    state_dir = settings().state_dir
    with get_client(sync_client=True) as client:
        pools = read_pools(client)
    sample = {
        "host": measure_host(state_dir),
        "processes": measure_processes(state_dir),
        "pools": pools.by_pool,
        "workers_online": pools.online,
        "runs_running": len(pools.in_progress),
        "runs_waiting": pools.waiting,
        "runs_late": pools.late,
    }
    return sample, pools.in_progress


@task(**MONITORING, name="store metrics")
def store_metrics(sample: dict[str, Any]) -> None:
    """Store one row for this minute."""
    columns = {**sample, **sample["host"]}
    columns |= {name: json.dumps(sample[name]) for name in ("processes", "pools")}
    with warehouse() as connection:
        run_sql(
            connection,
            "monitoring/store_metrics",
            days=settings().worker_metrics_retention_days,
            **columns,
        )


@task(**MONITORING, name="end stuck runs")
def end_stuck_runs(in_progress: list[FlowRun]) -> list[str]:
    """End the stuck ones of these runs; return their names and why."""
    now = datetime.now(UTC)
    with get_client(sync_client=True) as client:
        return end_stuck(client, in_progress, now, server_available=_was_monitoring(now))


@task(**MONITORING, name="update incidents")
def update_incidents() -> IncidentUpdate:
    """Look how promises stand, process the runs that ended, and enqueue messages about the changes of incidents."""
    now = datetime.now(UTC)
    problems = record_refused_reports()
    with get_client(sync_client=True) as client:
        problems += refresh_promises(client, now)
        update = update_health(client, now)
    return update._replace(unread=[*update.unread, *problems])


@task(**MONITORING, name="run lost requests again")
def run_lost_requests_again() -> Reruns:
    """Create the next run of each request that was lost with its run."""
    with get_client(sync_client=True) as client:
        return rerun_lost_requests(client, datetime.now(UTC))


@task(**MONITORING, name="notify database outage")
def notify_database_outage(reason: str) -> None:
    """Notify of the outage without the database, which can't store messages."""
    for line in notify_outage(reason):
        get_run_logger().warning(line)


def _outcome(result: WorkerMetrics) -> str | None:
    """Return how many incidents changed, for the name of the run; None if none did."""
    changes = len(result["incident_changes"])
    return counted(changes, "change") + " of incidents" if changes else None


@flow(timeout_seconds=55, run_name="worker metrics", outcome=_outcome)
def collect_worker_metrics() -> WorkerMetrics:
    """Measure the worker's host, processes and work pools into ops.worker_metrics."""
    sample, in_progress = measure_worker()
    crashed_runs = end_stuck_runs(cast("list[FlowRun]", opaque(in_progress)))
    try:
        store_metrics(sample)
        update, failed_notifications = update_incidents(), notify_database_recovery()
        reruns = run_lost_requests_again()
        deliveries = deliver([*update.messages, *reruns.messages])
    except (CircuitOpenError, SQLAlchemyError) as error:
        notify_database_outage(_reason(error))
        raise
    warnings = {
        "crashed_runs": crashed_runs,
        "incident_changes": update.changes,
        "lost_requests": reruns.lines,
        "unread_problems": update.unread,
        "failed_notifications": failed_notifications + deliveries.failed_notifications,
    }
    for line in chain(*warnings.values()):
        get_run_logger().warning(line)
    untold = update.unnotified + reruns.unnotified
    return _result({**sample, **warnings, "untold": untold}, deliveries)


def _result(fields: dict[str, Any], deliveries: Deliveries) -> WorkerMetrics:
    has_failed = fields["unread_problems"] or deliveries.failed or deliveries.counts["unheard"]
    status = "partial" if has_failed else "success"
    message = f"{_summary_line(fields)}{_details(fields, deliveries)}"
    result = {**flow_result(status, message), **fields, "deliveries": deliveries.counts}
    return cast("WorkerMetrics", result)


def _was_monitoring(now: datetime) -> bool:
    """Whether this flow ran twice while heartbeats were missing, so that the server was available."""
    try:
        with warehouse() as connection:
            row = run_sql(connection, "monitoring/samples_since", since=now - FALLBACK_TIMEOUT)[0]
    except (CircuitOpenError, SQLAlchemyError):
        return False
    return row["samples"] >= MIN_SAMPLES


def _reason(error: Exception) -> str:
    return one_line(str(getattr(error, "orig", None) or error))


def _summary_line(sample: dict[str, Any]) -> str:
    host = sample["host"]
    free = host["memory_available_bytes"] / host["memory_total_bytes"]
    return (
        f"{sample['workers_online']} workers online, {sample['runs_running']} runs in progress,"
        f" {sample['runs_waiting']} waiting ({sample['runs_late']} late); load"
        f" {host['load_1m']:.1f}, {free:.0%} of the memory available"
    )


def _details(result: dict[str, Any], deliveries: Deliveries) -> str:
    parts = [f"{len(result['crashed_runs'])} stuck runs ended"] if result["crashed_runs"] else []
    parts += result["incident_changes"]
    if result["lost_requests"]:
        parts.append(f"{counted(len(result['lost_requests']), 'lost request')} (see the log)")
    parts += [f"problems not read: {each}" for each in result["unread_problems"]]
    if text := counts_text(deliveries.counts):
        parts.append(f"messages: {text}")
    if deliveries.failed:
        parts.append(f"{deliveries.failed} of this run's messages could not be delivered")
    if result["untold"]:
        parts.append(no_recipient_text(result["untold"]))
    return "".join(f"; {part}" for part in parts)
