"""Every minute: measure the worker, end runs that nobody works on, notify of deployments that fail.

Reads /proc and the Prefect API; writes one row to ``ops.worker_metrics``, final states of stuck runs,
``ops.deployment_health`` and the messages that follow from it. Without the database it still ends
stuck runs, and notifies that the database is away. Safe to repeat: a minute has one row, the end of a
run is counted once, and a message has one key for all its attempts.
"""

import json
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

from prefect import get_client, get_run_logger, task
from sqlalchemy.exc import SQLAlchemyError

from analytics_worker.circuit_breaker import CircuitOpenError
from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.delivery import DeliveryCounts, counts_text
from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.results import FlowResult, flow_result
from analytics_worker.prefect_support.retries import MONITORING
from analytics_worker.prefect_support.run_filters import ACTIVE_STATES, runs_in_states
from analytics_worker.settings import settings
from analytics_worker.text import one_line
from flows.monitoring._database_outage import database_is_away, database_is_back
from flows.monitoring._deliveries import Deliveries, deliver_messages
from flows.monitoring._deployment_health import HealthChanges, update_health
from flows.monitoring._health_messages import untold_text
from flows.monitoring._host import Host, measure_host
from flows.monitoring._processes import Processes, measure_processes
from flows.monitoring._reaper import LOST, reap
from flows.monitoring._work_pools import Queue, matching, read_queues

TWICE = 2


class WorkerMetrics(FlowResult):
    """What `collect_worker_metrics` reports."""

    host: Host
    processes: dict[str, Processes]
    pools: dict[str, Queue]
    workers_online: int
    runs_running: int
    runs_waiting: int
    runs_late: int
    reaped: list[str]
    """Runs that were ended because nobody worked on them, and why."""
    turns: list[str]
    """Deployments that began to fail, or work again."""
    untold: list[str]
    """Deployments that fail and that nobody was notified of, because there is no recipient."""
    not_sent: list[str]
    """Channels that did not take a message of this run, and why; it is retried."""
    deliveries: DeliveryCounts
    """Messages of this run and earlier ones that were due."""


@task(**MONITORING, name="measure the worker")
def measure() -> dict[str, Any]:
    """Host, processes and queues, as of now."""
    state_dir = settings().state_dir
    with get_client(sync_client=True) as client:
        queues = read_queues(client)
    return {
        "host": measure_host(state_dir),
        "processes": measure_processes(state_dir),
        "pools": queues.by_pool,
        "workers_online": queues.online,
        "runs_running": len(queues.in_progress),
        "runs_waiting": queues.waiting,
        "runs_late": queues.late,
    }


@task(**MONITORING, name="store metrics")
def store(sample: dict[str, Any]) -> None:
    """One row for this minute."""
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
def end_stuck_runs() -> list[str]:
    """End runs that nobody works on; what they were and why."""
    now = datetime.now(UTC)
    with get_client(sync_client=True) as client:
        in_progress = matching(client, runs_in_states(ACTIVE_STATES))
        return reap(client, in_progress, now, heard=_has_been_listening(now))


@task(**MONITORING, name="update deployment health")
def judge() -> HealthChanges:
    """Bring the ledger of deployments in step, and enqueue messages about what turned."""
    with get_client(sync_client=True) as client:
        return update_health(client, datetime.now(UTC))


@task(**MONITORING, name="notify database recovery")
def notify_database_recovery() -> list[str]:
    """Notify those who know that the database was away; return which channels did not take it."""
    return database_is_back()


@task(**MONITORING, name="deliver messages")
def deliver(own: list[UUID]) -> Deliveries:
    """Send what is due in this domain; return what became of this run's own messages, too."""
    return deliver_messages(own)


@task(**MONITORING, name="notify database outage")
def notify_database_outage(reason: str) -> None:
    """Notify of the outage past the database, in which nothing can be stored."""
    for line in database_is_away(reason):
        get_run_logger().warning(line)


@flow(timeout_seconds=55)
def collect_worker_metrics() -> WorkerMetrics:
    """Measure the worker's host, processes and queues into ops.worker_metrics."""
    sample = measure()
    reaped = end_stuck_runs()
    try:
        store(sample)
        changes, not_sent = judge(), notify_database_recovery()
        deliveries = deliver(changes.messages)
    except (CircuitOpenError, SQLAlchemyError) as error:
        notify_database_outage(_reason(error))
        raise
    turns = [f"{turn.end.deployment} {turn.kind}" for turn in changes.turns]
    not_sent += deliveries.not_sent
    for line in (*reaped, *turns, *not_sent):
        get_run_logger().warning(line)
    result = {**sample, "reaped": reaped, "turns": turns, "not_sent": not_sent}
    result |= {"untold": changes.untold, "deliveries": deliveries.counts}
    status = "partial" if deliveries.failed or deliveries.counts["unheard"] else "success"
    message = f"{_sentence(result)}{_noteworthy(result, deliveries)}"
    return cast("WorkerMetrics", {**flow_result(status, message), **result})


def _has_been_listening(now: datetime) -> bool:
    """Whether we have looked twice in the time that a run must be silent: the server was there."""
    try:
        with warehouse() as connection:
            row = run_sql(connection, "monitoring/samples_since", since=now - LOST)[0]
    except (CircuitOpenError, SQLAlchemyError):
        return False
    return row["samples"] >= TWICE


def _reason(error: Exception) -> str:
    return one_line(str(getattr(error, "orig", None) or error))


def _sentence(sample: dict[str, Any]) -> str:
    host = sample["host"]
    free = host["memory_available_bytes"] / host["memory_total_bytes"]
    return (
        f"{sample['workers_online']} workers online, {sample['runs_running']} runs in progress,"
        f" {sample['runs_waiting']} waiting ({sample['runs_late']} late); load"
        f" {host['load_1m']:.1f}, {free:.0%} of the memory available"
    )


def _noteworthy(result: dict[str, Any], deliveries: Deliveries) -> str:
    parts = [f"{len(result['reaped'])} stuck runs ended"] if result["reaped"] else []
    parts += result["turns"]
    if text := counts_text(deliveries.counts):
        parts.append(f"messages: {text}")
    if deliveries.failed:
        parts.append(f"{deliveries.failed} of this run's messages could not be delivered")
    if result["untold"]:
        parts.append(untold_text(result["untold"]))
    return "".join(f"; {part}" for part in parts)
