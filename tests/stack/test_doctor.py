"""`analytics-worker doctor` reports each problem with its fix."""

import os
import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest
from prefect import get_client
from prefect.client.schemas.actions import DeploymentUpdate
from prefect.settings import (
    PREFECT_API_DATABASE_CONNECTION_URL,
    PREFECT_API_URL,
    temporary_settings,
)
from sqlalchemy import text

from analytics_worker.database.connections import direct_connection, warehouse_url
from analytics_worker.deployment.deploy import deploy, desired_state
from analytics_worker.doctor import (
    database,
    host,
    jobs,
    prefect_database,
    run_checks,
    server,
    versions,
)
from analytics_worker.prefect_support.heartbeat_timeout import HEARTBEAT_AUTOMATION
from analytics_worker.settings import settings
from analytics_worker.stack.state_dir import Component, StackRecord, StateFolder, created
from tests.support.contrib_postgres import ContribPostgres
from tests.support.doctor_findings import problems
from tests.support.ports import free_port
from tests.support.processes import Server

pytestmark = pytest.mark.usefixtures("environment")


def test_an_old_revision_of_the_tables_fails():
    with direct_connection(warehouse_url()) as connection:
        assert problems(versions.tables(connection)) == {}
        connection.execute(text("update ops.alembic_version set version_num = '0001_dbt_history'"))
        assert "`analytics-worker migrate`" in problems(versions.tables(connection))["tables"].fix


def test_every_table_of_schema_ops_has_its_size():
    with direct_connection(warehouse_url()) as connection:
        names = {finding.name for finding in database.sizes(connection)}
    assert {"ops.refresh_log", "ops.worker_metrics", "ops.alert_events"} <= names


def test_every_table_of_the_prefect_server_has_its_size(prefect_server):
    home = settings().state_dir / "prefect"
    home.parent.mkdir(parents=True, exist_ok=True)
    prefect_server.copy_database(home)
    names = {finding.name for finding in prefect_database.sizes()}
    assert {"prefect.flow_run", "prefect.log", "prefect.events"} <= names


def test_a_prefect_server_on_postgresql_has_its_sizes_too(
    contrib_postgres: ContribPostgres, tmp_path: Path
):
    url = f"{contrib_postgres.url}&ssl=prefer&prepared_statement_cache_size=0"
    with (
        Server(tmp_path / "home", PREFECT_API_DATABASE_CONNECTION_URL=contrib_postgres.url),
        temporary_settings({PREFECT_API_DATABASE_CONNECTION_URL: url}),
    ):
        sizes = {finding.name: finding for finding in prefect_database.sizes()}
    assert {"prefect.flow_run", "prefect.log", "prefect.events"} <= sizes.keys()
    assert all(finding.message.endswith("B") for finding in sizes.values())


def test_a_database_that_is_not_on_this_host_is_reported():
    (finding,) = prefect_database.sizes()
    assert "PREFECT_SERVER_DATABASE_CONNECTION_URL" in finding.message


@pytest.mark.parametrize(("seconds", "level"), [(0.5, "ok"), (10, "warn"), (60, "fail")])
def test_the_level_follows_from_the_difference_of_clocks(seconds: float, level: str):
    assert database.skew("database", seconds).level == level


def test_installed_packages_match_the_lock_file():
    assert "packages as in requirements.lock" in next(
        finding.message for finding in versions.packages() if finding.name == "packages"
    )


def test_a_full_disk_and_a_closed_port_are_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("HEALTH_MIN_FREE_MB", str(10**9))
    monkeypatch.setenv("PROMETHEUS_PORT", str(free_port()))
    monkeypatch.setenv("LOG_DIR", str(tmp_path / "logs"))
    settings.cache_clear()
    assert {"STATE_DIR", "LOG_DIR", "REPORT_OUTPUT_DIR"} <= problems(host.disk()).keys()
    assert problems(host.ports())["metrics"].level == "warn"


def test_without_a_server_no_port_of_one_is_named():
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        found = problems(host.ports())["prefect api"]
    assert (found.level, found.message) == ("fail", "no server is known")
    assert "`analytics-worker server`" in found.fix


def test_the_metrics_port_is_read_from_the_running_stack(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """Start the stack with a port that this shell does not set."""
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    monkeypatch.delenv("PROMETHEUS_PORT", raising=False)
    settings.cache_clear()
    with socket.create_server(("127.0.0.1", 0)) as exporter:
        port = exporter.getsockname()[1]
        record = StackRecord(
            pid=os.getpid(),
            created=created(os.getpid()) or 0.0,
            marker="m",
            api_url="u",
            since="s",
            components=[],
            metrics_port=port,
        )
        StateFolder(tmp_path).write(record)
        (metrics,) = [finding for finding in host.ports() if finding.name == "metrics"]
        assert (metrics.level, metrics.message) == ("ok", f"127.0.0.1:{port} listens")
        monkeypatch.setenv("PROMETHEUS_PORT", str(free_port()))
        settings.cache_clear()
        assert str(settings().prometheus_port) in problems(host.ports())["metrics"].message
        monkeypatch.delenv("PROMETHEUS_PORT")
        settings.cache_clear()
        StateFolder(tmp_path).write(replace(record, created=1.0))
        (metrics,) = [finding for finding in host.ports() if finding.name == "metrics"]
        assert f":{settings().prometheus_port} " in metrics.message


def test_a_change_of_env_after_the_start_of_a_process_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    monkeypatch.setattr(host, "project_root", lambda: tmp_path)
    settings.cache_clear()
    assert [*host.env_file()] == []
    now, me = time.time(), created(os.getpid()) or 0.0
    parts = {"postgres": now - 60, "server": now - 60, "worker": now + 60, "exporter": now - 60}
    components = [
        Component(name, os.getpid(), began, ready=True, since=None, restarts=0)
        for name, began in parts.items()
    ]
    StateFolder(tmp_path).write(StackRecord(os.getpid(), me, "m", "u", "s", components))
    assert [*host.env_file()] == []
    (tmp_path / ".env").write_text("LOG_FORMAT=json\n")
    (found,) = host.env_file()
    assert (found.level, found.message) == (
        "warn",
        "changed after the start of server, exporter",
    )
    os.utime(tmp_path / ".env", (now - 120, now - 120))
    (found,) = host.env_file()
    assert (found.level, found.message) == ("ok", "read by all")


def test_a_variable_of_the_celery_worker_names_its_replacement(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FLOWER_PORT", "5555")
    settings.cache_clear()
    assert "Prefect UI" in problems(host.variables())["FLOWER_PORT"].message


def test_an_unavailable_service_is_a_finding_and_the_others_are_checked(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:canary@127.0.0.1:1/kpis")
    settings.cache_clear()
    with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{free_port()}/api"}):
        findings = list(run_checks())
    failed = {finding.area for finding in findings if finding.level == "fail"}
    assert {"database", "permissions", "prefect api"} <= failed
    assert any(finding.area == "disk" and finding.level == "ok" for finding in findings)
    assert "canary" not in str(findings)


@pytest.fixture
def client(request: pytest.FixtureRequest):
    request.getfixturevalue("prefect_api")
    with get_client(sync_client=True) as api:
        deploy(desired_state(), api)
        yield api


def test_workers_schedules_and_recovery(client):
    assert "analytics" in problems(server.workers(client))
    name = "run-dbt-tests/dbt"
    deployment = client.read_deployment_by_name(name).id
    client.update_deployment(deployment, DeploymentUpdate(paused=True))
    assert problems(server.schedules(client))[name].message == "paused"
    client.update_deployment(deployment, DeploymentUpdate(paused=False))
    (automation,) = client.read_automations_by_name(HEARTBEAT_AUTOMATION)
    assert problems(server.recovery(client)) == {}
    client.pause_automation(automation.id)
    assert "paused" in problems(server.recovery(client))["runs without heartbeats"].message
    client.delete_automation(automation.id)
    assert problems(server.recovery(client))["runs without heartbeats"].level == "fail"


def test_deployments_from_another_version_are_named(client):
    assert problems(versions.deployments(client)) == {}
    name, old = "run-dbt-tests/dbt", "0.0.1+000000000000"
    deployment = client.read_deployment_by_name(name)
    client.update_deployment(deployment.id, DeploymentUpdate(version=old))
    message = problems(versions.deployments(client))["deployments"].message
    assert f"; 1 from {old}" in message
    client.update_deployment(deployment.id, DeploymentUpdate(version="hostile\ntext"))
    message = problems(versions.deployments(client))["deployments"].message
    assert message.endswith("; 1 without a version of the code")


def test_what_runs_may_start_is_looked_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    assert problems([*jobs.overrides(), *jobs.code_folders()]) == {}
    monkeypatch.setenv("WORKER_ALLOW_JOB_OVERRIDES", "on")
    monkeypatch.setenv("WORKER_CODE_FOLDERS", str(tmp_path / "missing"))
    settings.cache_clear()
    found = problems([*jobs.overrides(), *jobs.code_folders()])
    assert found["WORKER_ALLOW_JOB_OVERRIDES"].level == "warn"
    assert found["WORKER_CODE_FOLDERS"].level == "fail"
    assert f"{tmp_path / 'missing'} is not a folder" in found["WORKER_CODE_FOLDERS"].message
