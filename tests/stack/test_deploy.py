"""`analytics-worker deploy` is idempotent, complete, atomic, and equal to `prefect deploy`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleUpdate, DeploymentUpdate
from prefect.settings import PREFECT_SERVER_API_AUTH_STRING, temporary_settings

from analytics_worker.database.connections import parse_url
from analytics_worker.deployment.deploy import deploy, desired_state
from analytics_worker.prefect_support import deployments, heartbeat_timeout
from analytics_worker.prefect_support.claim_limits import DECAY_SECONDS
from analytics_worker.prefect_support.deployments import PrefectYamlError, prefect_yaml
from analytics_worker.settings import settings
from blocks import warehouse

URL = parse_url("postgresql://me:canary-password@db.example:5433/sales")
VOLATILE_FIELDS = {
    *("id", "created", "updated", "created_by", "updated_by", "last_polled", "status"),
    "global_concurrency_limit",  # its name contains the deployment's id
    *("version", "version_id", "version_info", "flow_id", "work_queue_id", "deployment_id"),
}
pytestmark = pytest.mark.usefixtures("prefect_api", "environment")


@pytest.fixture
def client():
    with get_client(sync_client=True) as api:
        yield api


@pytest.fixture
def changed_yaml(tmp_path, monkeypatch):
    """Return a function that replaces prefect.yaml by a changed one."""

    def write(change) -> None:
        content = yaml.safe_load(prefect_yaml_of_the_project.read_text())
        change(content)
        path = tmp_path / "prefect.yaml"
        path.write_text(yaml.safe_dump(content))
        monkeypatch.setattr(deployments, "prefect_yaml", lambda: path)
        clear_caches()

    prefect_yaml_of_the_project = prefect_yaml()
    yield write
    monkeypatch.undo()
    clear_caches()


def clear_caches() -> None:
    deployments.project.cache_clear()
    deployments.deployed_flows.cache_clear()


def actions(client: SyncPrefectClient, kind: str = "deployment") -> dict[str, set[str]]:
    names: dict[str, set[str]] = {}
    for change in deploy(desired_state(), client):
        if change.kind == kind:
            names.setdefault(change.action, set()).add(change.name)
    return names


def snapshot(client: SyncPrefectClient) -> dict[str, object]:
    """Return every deployment without the fields that differ each time it is created."""
    rows = client.read_deployments(limit=200)
    return {row.entrypoint or "": plain(row.model_dump(mode="json")) for row in rows} | {
        f"limit of {row.entrypoint}": row.global_concurrency_limit
        and row.global_concurrency_limit.limit
        for row in rows
    }


def plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items() if key not in VOLATILE_FIELDS}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


def remove_deployments(client: SyncPrefectClient) -> None:
    for row in client.read_deployments(limit=200):
        client.delete_deployment(row.id)


def test_everything_is_created_once(client):
    remove_deployments(client)
    assert actions(client) == {"created": set(desired_state().deployments)}
    assert actions(client) == {"unchanged": set(desired_state().deployments)}
    assert actions(client, "pool") == {"unchanged": {pool.name for pool in desired_state().pools}}


def test_prefect_deploy_creates_the_same_deployments(client):
    remove_deployments(client)
    deploy(desired_state(), client)
    ours = snapshot(client)
    remove_deployments(client)
    completed = subprocess.run(
        [Path(sys.executable).with_name("prefect"), "--no-prompt", "deploy", "--all"],
        env=os.environ | {"PREFECT_API_URL": str(client.api_url)},
        cwd=prefect_yaml().parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stdout + completed.stderr
    assert snapshot(client) == ours


def test_a_change_on_the_server_is_reverted_and_named(client):
    deploy(desired_state(), client)
    row = client.read_deployment_by_name("refresh-catalog/analytics")
    client.update_deployment(row.id, DeploymentUpdate(description="mine", tags=["x"]))
    (change,) = [c for c in deploy(desired_state(), client) if c.action == "updated"]
    assert (change.name, change.fields) == ("refresh-catalog/analytics", ("description", "tags"))


def test_a_paused_schedule_stays_paused(client):
    deploy(desired_state(), client)
    row = client.read_deployment_by_name("refresh-catalog/analytics")
    (schedule,) = row.schedules
    paused = DeploymentScheduleUpdate(active=False)
    client.update_deployment_schedule(row.id, schedule.id, active=paused.active)
    client.update_deployment(row.id, DeploymentUpdate(description="mine", tags=row.tags))
    deploy(desired_state(), client)
    (schedule,) = client.read_deployment_by_name("refresh-catalog/analytics").schedules
    assert schedule.active is False
    client.update_deployment_schedule(row.id, schedule.id, active=True)


def test_deployments_removed_from_the_file_are_deleted_and_foreign_ones_stay(client, changed_yaml):
    deploy(desired_state(), client)
    flow_id = client.create_flow_from_name("foreign-flow")
    client.create_deployment(flow_id, name="foreign", entrypoint="their.flow")
    changed_yaml(lambda content: content["deployments"].pop(0))
    assert actions(client)["removed"] == {"refresh-catalog/analytics"}
    assert client.read_deployment_by_name("foreign-flow/foreign")


def test_the_limit_of_a_pool_is_updated(client, changed_yaml):
    deploy(desired_state(), client)
    changed_yaml(lambda content: content["definitions"]["pools"][0].update(concurrency_limit=7))
    assert actions(client, "pool")["updated"] == {"analytics"}
    assert client.read_work_pool("analytics").concurrency_limit == 7


def test_a_misspelled_key_is_refused_by_name_before_anything_changes(client, changed_yaml):
    deploy(desired_state(), client)
    before = snapshot(client)
    changed_yaml(lambda content: content["deployments"][0].update(shedules=[]))
    with pytest.raises(PrefectYamlError, match="shedules: unknown key"):
        deploy(desired_state(), client)
    assert snapshot(client) == before


def test_the_block_has_no_password_on_a_server_without_login(client):
    assert warehouse.register(URL, client) in {"created", "updated"}
    assert warehouse.register(URL, client) == "unchanged"
    document = client.read_block_document_by_name(
        warehouse.NAME, "sqlalchemy-connector", include_secrets=True
    )
    assert document.data["connection_info"]["host"] == "db.example"
    assert "canary-password" not in str(document.data)


def test_the_block_has_the_password_on_a_server_with_login():
    with temporary_settings({PREFECT_SERVER_API_AUTH_STRING: "admin:secret"}):
        assert warehouse.is_protected()
        block = warehouse.block(URL, with_password=warehouse.is_protected())
    assert "canary-password" in str(block.model_dump(context={"include_secrets": True}))


def test_the_heartbeat_automation_names_only_our_deployments(
    client: SyncPrefectClient,
):
    deploy(desired_state(), client)
    (stored,) = client.read_automations_by_name(heartbeat_timeout.HEARTBEAT_AUTOMATION)
    ours = [client.read_deployment_by_name(name).id for name in desired_state().deployments]
    related = stored.trigger.model_dump(mode="json")["match_related"]["prefect.resource.id"]
    assert sorted(related) == sorted(f"prefect.deployment.{one}" for one in ours)
    client.delete_automation(stored.id)
    assert actions(client, "automation") == {"created": {heartbeat_timeout.HEARTBEAT_AUTOMATION}}
    assert actions(client, "automation") == {"unchanged": {heartbeat_timeout.HEARTBEAT_AUTOMATION}}


def test_a_server_with_a_login_notifies_that_monitoring_fails(
    client: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ALERT_WEBHOOK_URL", "https://hooks.example.com/secret")
    settings.cache_clear()
    deploy(desired_state(), client)
    assert client.read_automations_by_name(heartbeat_timeout.MONITORING_AUTOMATION) == []
    with temporary_settings({PREFECT_SERVER_API_AUTH_STRING: "admin:secret"}):
        for action in ("created", "unchanged"):
            applied = {
                c.name: c.action for c in deploy(desired_state(), client) if c.kind == "automation"
            }
            assert applied[heartbeat_timeout.MONITORING_AUTOMATION] == action
    (stored,) = client.read_automations_by_name(heartbeat_timeout.MONITORING_AUTOMATION)
    assert "hooks.example.com" not in stored.model_dump_json()
    client.delete_automation(stored.id)


def test_the_limits_for_claims_are_there_before_the_first_worker(client: SyncPrefectClient):
    name = f"claims-of-{desired_state().pools[0].name}"
    deploy(desired_state(), client)
    first = client.read_global_concurrency_limit_by_name(name)
    assert (first.limit, first.slot_decay_per_second) == (1, 1 / DECAY_SECONDS)
    deploy(desired_state(), client)
    assert client.read_global_concurrency_limit_by_name(name).id == first.id
