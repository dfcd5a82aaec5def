"""cleanup_expired_tasks deletes what is expired, and only that; a dry run deletes nothing."""

import json
import os
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import ObjectNotFound
from prefect.flows import Flow
from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, temporary_settings
from prefect.states import Completed

from analytics_worker.circuit_breaker import db_circuit_breaker, external_circuit_breaker
from analytics_worker.deployment.deploy import deploy, desired_state
from analytics_worker.settings import settings
from flows.monitoring import cleanup_expired_tasks
from flows.monitoring.cleanup.events import WaitingEvents, waiting_events
from flows.monitoring.cleanup.files import expired_results
from flows.monitoring.cleanup.keys import delete_keys, expired_keys
from flows.monitoring.cleanup.runs import (
    count_expired_runs,
    delete_expired_runs,
    delete_worker,
    removed_deployments,
    stale_workers,
)
from flows.monitoring.run_retention import retention_result
from tests.support.redis_server import RedisServer
from tests.support.wait_until import wait_until

LATER = timedelta(minutes=5)


pytestmark = pytest.mark.usefixtures("environment")


@pytest.fixture
def client(request: pytest.FixtureRequest):
    request.getfixturevalue("prefect_api")
    with get_client(sync_client=True) as api:
        deploy(desired_state(), api)
        yield api


def ended_run(client: SyncPrefectClient) -> tuple[object, object]:
    """Create an ended run of our deployment with an artifact and logs."""
    deployment = client.read_deployment_by_name("dbt-docs-generate/dbt")
    run = client.create_flow_run_from_deployment(deployment.id)
    client.set_flow_run_state(run.id, Completed(), force=True)
    content = {"key": "old", "type": "markdown", "data": "x", "flow_run_id": str(run.id)}
    artifact = client.request("POST", "/artifacts/", json=content).json()
    line = {"name": "old", "level": 20, "message": "x", "timestamp": str(datetime.now(UTC))}
    client.create_logs([{**line, "flow_run_id": str(run.id)}] * 2)
    return run.id, artifact["id"]


def exists(read, identity) -> bool:
    try:
        read(identity)
    except ObjectNotFound:
        return False
    return True


def test_ended_runs_are_deleted_with_their_artifacts_and_others_stay(client: SyncPrefectClient):
    run, artifact = ended_run(client)
    deployment = client.read_deployment_by_name("dbt-docs-generate/dbt")
    waiting = client.create_flow_run_from_deployment(deployment.id).id
    earlier, later = datetime.now(UTC) - LATER, datetime.now(UTC) + LATER
    delete_expired_runs(client, earlier)
    assert exists(client.read_flow_run, run)
    to_delete = count_expired_runs(client, later, 1_000)
    assert to_delete.runs >= 1
    assert to_delete.artifacts >= 1
    assert to_delete.logs >= 2
    assert delete_expired_runs(client, later) == to_delete
    assert count_expired_runs(client, later, 1_000) == (0, 0, 0)
    assert not exists(client.read_flow_run, run)
    query = {"artifacts": {"id": {"any_": [artifact]}}}
    assert client.request("POST", "/artifacts/filter", json=query).json() == []
    assert exists(client.read_flow_run, waiting)
    client.delete_flow_run(waiting)


def test_runs_of_other_projects_on_the_same_server_stay(client: SyncPrefectClient):
    foreign = client.create_flow_run(Flow(lambda: None, name="foreign"), state=Completed())
    delete_expired_runs(client, datetime.now(UTC) + LATER)
    assert exists(client.read_flow_run, foreign.id)


@pytest.mark.usefixtures("client")
def test_a_dry_run_counts_and_deletes_nothing(variables, tmp_path: Path):
    variables(log_dir=tmp_path / "logs")
    (tmp_path / "logs").mkdir()
    old = tmp_path / "logs" / "server.log.1"
    old.write_text("x" * 100)
    os.utime(old, (0, 0))
    (tmp_path / "logs" / "server.log").write_text("in use")
    os.utime(tmp_path / "logs" / "server.log", (0, 0))
    dry_run = cleanup_expired_tasks(dry_run=True)
    assert dry_run["deleted"]["log files"] == {"items": 1, "bytes": 100}
    assert old.exists()
    result = cleanup_expired_tasks()
    assert result["deleted"]["log files"] == {"items": 1, "bytes": 100}
    assert [path.name for path in (tmp_path / "logs").iterdir()] == ["server.log"]


def test_results_expire_by_age_or_by_their_own_expiration(tmp_path: Path):
    def result(name: str, expiration: str | None, age: float = 0) -> None:
        (tmp_path / name).write_text(json.dumps({"metadata": {"expiration": expiration}}))
        written = time.time() - age
        os.utime(tmp_path / name, (written, written))

    result("young", None)
    result("old", None, age=90_000)
    result("expired", "2020-01-01T00:00:00+00:00")
    result("valid", "2999-01-01T00:00:00+00:00")
    (tmp_path / "not-json").write_bytes(b"\x80\x04")
    with temporary_settings({PREFECT_LOCAL_STORAGE_PATH: str(tmp_path)}):
        expired = list(expired_results(datetime.now(UTC) - timedelta(days=1)))
    assert {path.name for path in expired} == {"old", "expired"}


def test_workers_without_heartbeats_are_deleted(client: SyncPrefectClient):
    content = {"name": "offline", "heartbeat_interval_seconds": 30}
    path, path_params = "/work_pools/{work_pool_name}/workers/heartbeat", {"work_pool_name": "dbt"}
    client.request("POST", path, path_params=path_params, json=content)
    earlier, later = datetime.now(UTC) - LATER, datetime.now(UTC) + LATER

    def offline_since(instant: datetime):
        return [(p, w) for p, w in stale_workers(client, instant) if w.name == "offline"]

    assert offline_since(earlier) == []
    ((pool, worker),) = offline_since(later)
    delete_worker(client, pool, worker)
    names = [worker.name for worker in client.read_workers_for_work_pool("dbt")]
    assert "offline" not in names


def test_deployments_removed_from_prefect_yaml_are_deleted_and_others_are_not(
    client: SyncPrefectClient,
):
    flow = client.create_flow(Flow(lambda: None, name="removed"))
    for name, entrypoint in (("ours", "flows.analytics.removed.removed"), ("foreign", "app.f")):
        client.create_deployment(flow, name=name, entrypoint=entrypoint, work_pool_name="analytics")
    removed = removed_deployments(client)
    assert list(removed) == ["removed/ours"]
    cleanup_expired_tasks()
    assert removed_deployments(client) == {}
    client.delete_deployment(client.read_deployment_by_name("removed/foreign").id)


def test_unused_keys_are_deleted(variables, redis_server: RedisServer):
    variables(redis_url=redis_server.url)
    for service in ("unused", "failing"):
        with suppress(ConnectionError), external_circuit_breaker(service).calling():
            raise ConnectionError
    with external_circuit_breaker("unused").calling():
        pass
    with db_circuit_breaker.calling():
        pass
    with redis_server.client() as redis:
        redis.set("celery-task-meta-1", "{}")
        redis.set("foreign", 1)
        later, before = datetime.now(UTC) + LATER, datetime.now(UTC) - LATER
        assert list(expired_keys(before)) == []
        keys = list(expired_keys(later))
        assert any(key.endswith("external:unused") for key in keys)
        assert not any(key.endswith(("failing", "database")) for key in keys)
        assert "celery-task-meta-1" in keys
        delete_keys(keys)
        assert redis.get("foreign") == "1"
        assert list(expired_keys(later)) == []


def test_without_redis_no_keys_expire():
    assert settings().redis_url is None
    assert list(expired_keys(datetime.now(UTC))) == []


def test_events_that_wait_for_the_server_are_counted(client: SyncPrefectClient):
    now = datetime.now(UTC)
    retention = timedelta(days=waiting_events(client, now)["retention_days"])

    def at(instant: datetime) -> tuple[int, int]:
        events = waiting_events(client, instant)
        return events["items"], events["overdue"]

    instants = now, now + timedelta(hours=2), now + timedelta(days=2)
    before = [at(instant) for instant in instants]
    occurred = now - retention + timedelta(hours=1)
    event = {"occurred": str(occurred), "event": "test.old", "id": str(uuid4())}
    resource = {"prefect.resource.id": "test.old"}
    client.request("POST", "/events", json=[{**event, "resource": resource}])
    wait_until(lambda: at(instants[1]) != before[1])
    after = [at(instant) for instant in instants]
    added = [(b[0] - a[0], b[1] - a[1]) for a, b in zip(before, after, strict=True)]
    assert added == [(0, 0), (1, 0), (1, 1)]


def test_events_that_the_server_does_not_delete_make_the_run_partial():
    def result(items: int, overdue: int):
        events = WaitingEvents(items=items, overdue=overdue, retention_days=7)
        return retention_result("3 runs deleted", events)

    assert result(0, 0)["message"] == "3 runs deleted"
    assert result(5, 0)["status"] == "success"
    assert "5 events wait" in result(5, 0)["message"]
    assert result(5, 2)["status"] == "partial"
    assert "2 events were not deleted" in result(5, 2)["message"]
