"""The server ends a run that dies with its worker, but not one that computes or one whose heartbeats the
server missed while it was down."""

import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings
from prefect.states import Completed

from analytics_worker.deployment import automations
from analytics_worker.deployment.automations import sync_automations
from analytics_worker.prefect_support.heartbeat_timeout import (
    CRASH_MESSAGE,
    HEARTBEAT_AUTOMATION,
    HEARTBEAT_SECONDS,
    HEARTBEAT_TIMEOUT,
    HEARTBEAT_VARIABLE,
    MONITORING_AUTOMATION,
)
from analytics_worker.settings import settings
from tests.support.case_runs import Workspace
from tests.support.http_sink import HttpSink
from tests.support.prefect_server import worker_environment
from tests.support.processes import Process, Server, our_worker, stock_worker
from tests.support.wait_until import wait_until

MINUTES = HEARTBEAT_TIMEOUT.total_seconds() + 60


@pytest.fixture
def server(prefect_server: Server, tmp_path: Path) -> Iterator[Server]:
    """A server that the test may stop, at which nothing else happens."""
    prefect_server.copy_database(tmp_path / "server")
    with Server(tmp_path / "server") as server:
        yield server


def watched(work: Workspace, *flows: str) -> None:
    """Deploy them and have the server listen to their heartbeats."""
    beats = {HEARTBEAT_VARIABLE: str(HEARTBEAT_SECONDS)}
    deployments = {name: work.deploy(name, env=beats) for name in flows}
    work._deployments |= {f"cases.{name}/[]": id_ for name, id_ in deployments.items()}
    for automation in work.client.read_automations_by_name(HEARTBEAT_AUTOMATION):
        deployments |= {f"known-{n}": one for n, one in enumerate(listed(automation))}
        work.client.delete_automation(automation.id)
    list(sync_automations(deployments, work.client))


def listed(automation) -> list[UUID]:
    resources = automation.trigger.match_related["prefect.resource.id"]
    return [UUID(str(resource).rsplit(".", 1)[-1]) for resource in resources]


def buckets(server: Server) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(server.home / "prefect.db", timeout=30)) as database:
        return database.execute('select bucketing_key, "end" from automation_bucket').fetchall()


Start = Callable[..., Process]


@pytest.fixture
def start(server: Server, tmp_path: Path) -> Iterator[Start]:
    """Start a worker on a host of its own; all end with the test."""
    started: list[Process] = []

    def on_host(work: Workspace, name: str, kind: Start = our_worker) -> Process:
        host = tmp_path / name
        host.mkdir(exist_ok=True)
        environment = worker_environment(server, host, WORKER_CODE_FOLDERS=str(work.directory))
        started.append(kind(work.pool, environment, host / f"{work.pool}.log"))
        started[-1].start()
        return started[-1]

    yield on_host
    for process in started:
        process.end(signal.SIGKILL)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", [our_worker, stock_worker])
def test_the_dead_are_ended_and_the_busy_are_not(
    server: Server, tmp_path: Path, start: Start, kind: Start
):
    doomed = Workspace(tmp_path / "doomed", server.api_url, "doomed", limit=1)
    busy = Workspace(tmp_path / "busy", server.api_url, "busy")
    watched(doomed, "sleeping")
    watched(busy, "holding_the_lock")
    worker = start(doomed, "host-a", kind)
    start(busy, "host-b")
    dying = doomed.submit("sleeping", seconds=900)
    computing = busy.submit("holding_the_lock", seconds=int(MINUTES + 30))
    doomed.wait(dying, "Running", timeout=150)
    busy.wait(computing, "Running", timeout=150)
    wait_until(lambda: len(buckets(server)) == 2, timeout=60, interval=0.5)
    pid = doomed.pid(dying)
    worker.end(signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
    state = doomed.wait(dying, timeout=HEARTBEAT_TIMEOUT.total_seconds() + 15)
    assert (state.name, state.message) == ("Crashed", CRASH_MESSAGE)
    start(doomed, "host-c")
    assert doomed.wait(doomed.submit("ok"), timeout=90).name == "Completed"  # the slot is free
    assert busy.wait(computing, timeout=MINUTES + 90).name == "Completed"
    assert "Crashed" not in [s.name for s in busy.client.read_flow_run_states(computing)]


@pytest.mark.timeout(600)
def test_a_server_that_was_away_does_not_hold_that_against_the_runs(server: Server, tmp_path: Path):
    work = Workspace(tmp_path / "flows", server.api_url, "pool")
    watched(work, "sleeping")
    environment = worker_environment(server, tmp_path)
    with our_worker("pool", environment, tmp_path / "worker.log"):
        run = work.submit("sleeping", seconds=45)
        work.wait(run, "Running", timeout=150)
        wait_until(lambda: buckets(server), timeout=60, interval=0.5)
        server.end(signal.SIGKILL)
        with closing(sqlite3.connect(server.home / "prefect.db")) as database:
            database.execute(
                "update automation_bucket set start = datetime(start, '-1 hour'),"
                ' "end" = datetime("end", \'-1 hour\')'
            )  # as if it had been away for an hour
            database.commit()
        server.start()
        assert work.wait(run, timeout=150).name == "Completed"
        names = [state.name for state in work.client.read_flow_run_states(run)]
        assert "Crashed" not in names


def succeed(client: SyncPrefectClient, deployment: UUID) -> None:
    """A run of monitoring that works."""
    run = client.create_flow_run_from_deployment(deployment)
    client.set_flow_run_state(run.id, Completed(), force=True)


@pytest.mark.timeout(300)
def test_monitoring_that_falls_silent_is_told_once_until_it_works_again(
    http_sink: HttpSink, server: Server, monkeypatch: pytest.MonkeyPatch
):
    """The sink comes first: the server, too, needs it among the permitted hosts."""
    monkeypatch.setattr(automations, "MONITORING_TIMEOUT", timedelta(seconds=10))
    monkeypatch.setenv("ALERT_WEBHOOK_URL", http_sink.url)
    settings.cache_clear()
    with (
        temporary_settings({PREFECT_API_URL: server.api_url, PREFECT_API_AUTH_STRING: "a:b"}),
        get_client(sync_client=True) as client,
    ):
        flow = client.create_flow_from_name("collect-worker-metrics")
        monitor = client.create_deployment(flow, name="monitoring")
        list(sync_automations({automations.MONITORING_DEPLOYMENT: monitor}, client))
        for expected in (1, 2):
            succeed(client, monitor)
            succeed(client, monitor)
            wait_until(lambda told=expected: len(http_sink.requests) == told, timeout=60)
        quiet = datetime.now(UTC) + timedelta(seconds=25)  # more than two windows of silence
        wait_until(lambda: datetime.now(UTC) > quiet, timeout=30)
    assert len(http_sink.requests) == 2
    told = http_sink.requests[0].json
    assert (told["event"], told["deployment"]) == (
        "monitoring_failed",
        automations.MONITORING_DEPLOYMENT,
    )


def test_a_server_that_was_away_waits_for_monitoring_too(server: Server):
    with (
        temporary_settings({PREFECT_API_URL: server.api_url}),
        get_client(sync_client=True) as client,
    ):
        monitor = uuid4()
        made = automations.monitoring_failed(monitor, uuid4())
        client.create_automation(made)
        (stored,) = client.read_automations_by_name(MONITORING_AUTOMATION)
    server.end(signal.SIGKILL)
    with closing(sqlite3.connect(server.home / "prefect.db")) as database:
        database.execute(
            "insert into automation_bucket"
            ' (id, automation_id, trigger_id, bucketing_key, count, start, "end", last_operation)'
            " values (?, ?, ?, '[]', 0, datetime('now', '-1 hour'), datetime('now', '-50 minutes'), '')",
            (str(uuid4()), str(stored.id), str(uuid4())),
        )
        database.commit()
    server.start()
    (((_, end),)) = buckets(server)
    assert datetime.fromisoformat(end).replace(tzinfo=UTC) > datetime.now(UTC)
