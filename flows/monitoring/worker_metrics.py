"""Every minute: measure the worker, end runs that nobody works on, tell of deployments that fail.

Reads /proc and the Prefect API; writes one row to ``ops.worker_metrics``, final states of stuck runs,
``ops.deployment_health`` and the notices that follow from it. Without the database it still ends
stuck runs, and tells that the database is away. Safe to repeat: a minute has one row, the end of a run
is counted once, and a notice has one key for all its attempts.
"""

import json
from datetime import UTC, datetime
from typing import Any

from prefect import get_client, get_run_logger, task
from sqlalchemy.exc import SQLAlchemyError

from analytics_worker.circuit_breaker import CircuitOpenError
from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.results import FlowResult, outcome
from analytics_worker.prefect_support.retries import MONITORING
from analytics_worker.prefect_support.run_filters import HOLDING_A_SLOT, runs
from analytics_worker.settings import settings
from analytics_worker.text import one_line
from flows.monitoring._database_outage import database_is_away, database_is_back
from flows.monitoring._deployment_health import judge_ended_runs
from flows.monitoring._host import Host, measure_host
from flows.monitoring._notices import send_notices
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
    not_sent: list[str]
    """Channels that did not take a notice; it is tried again."""


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
        in_progress = matching(client, runs(HOLDING_A_SLOT))
        return reap(client, in_progress, now, heard=_has_been_listening(now))


@task(**MONITORING, name="judge ended runs")
def judge() -> list[str]:
    """Bring the ledger of deployments in step; what turned."""
    with get_client(sync_client=True) as client:
        turns = judge_ended_runs(client, datetime.now(UTC))
    return [f"{turn.end.deployment} {turn.kind}" for turn in turns]


@task(**MONITORING, name="send notices")
def send() -> list[str]:
    """Send what is due; what did not go out."""
    return [*database_is_back(), *send_notices().problems]


@task(**MONITORING, name="tell of the database")
def tell_of_database(reason: str) -> None:
    """Nothing can be stored: tell why, past the database."""
    for line in database_is_away(reason):
        get_run_logger().warning(line)


@flow(timeout_seconds=55)
def collect_worker_metrics() -> WorkerMetrics:
    """Measure the worker's host, processes and queues into ops.worker_metrics."""
    sample = measure()
    reaped = end_stuck_runs()
    try:
        store(sample)
        turns, not_sent = judge(), send()
    except (CircuitOpenError, SQLAlchemyError) as error:
        tell_of_database(_reason(error))
        raise
    for line in (*reaped, *turns, *not_sent):
        get_run_logger().warning(line)
    result = {**sample, "reaped": reaped, "turns": turns, "not_sent": not_sent}
    return {**outcome("success", _sentence(result)), **result}  # pyright: ignore[reportReturnType]


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
        f"{_noteworthy(sample)}"
    )


def _noteworthy(result: dict[str, Any]) -> str:
    parts = [f"{len(result['reaped'])} stuck runs ended"] if result["reaped"] else []
    parts += result["turns"]
    parts += [f"{len(result['not_sent'])} notices not sent"] if result["not_sent"] else []
    return "".join(f"; {part}" for part in parts)
