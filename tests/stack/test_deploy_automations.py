"""Automations that `deploy` leaves: one of each kind, and none of a deployment that was deleted."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from threading import Barrier
from uuid import UUID

import pytest
from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.events.schemas.automations import AutomationCore

from analytics_worker.deployment.automations import sync_automations
from analytics_worker.deployment.deploy import deploy, desired_state
from analytics_worker.prefect_support import heartbeat_timeout

pytestmark = pytest.mark.usefixtures("prefect_api", "environment")


@pytest.fixture
def client() -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as api:
        yield api


def removed(client: SyncPrefectClient) -> list[str]:
    return [each.name for each in deploy(desired_state(), client) if each.action == "removed"]


def test_several_deploys_at_once_leave_one_automation(client, monkeypatch: pytest.MonkeyPatch):
    name = heartbeat_timeout.HEARTBEAT_AUTOMATION
    for each in client.read_automations_by_name(name):
        client.delete_automation(each.id)
    together, create = Barrier(3), SyncPrefectClient.create_automation

    def create_together(self: SyncPrefectClient, automation: AutomationCore) -> UUID:
        together.wait()
        return create(self, automation)

    monkeypatch.setattr(SyncPrefectClient, "create_automation", create_together)

    def sync() -> None:
        with get_client(sync_client=True) as own:
            list(sync_automations({}, own))

    with ThreadPoolExecutor(3) as threads:
        for each in [threads.submit(copy_context().run, sync) for _ in range(3)]:
            each.result()
    assert len(client.read_automations_by_name(name)) == 1


def test_triggers_of_a_deleted_deployment_are_removed(client):
    deploy(desired_state(), client)
    name = "analytics-worker: evaluate a requested alert"
    before = {each.id for each in client.read_automations_by_name(name)}
    client.delete_deployment(client.read_deployment_by_name("trigger-alert/alerts").id)
    assert removed(client) == [name]
    after = {each.id for each in client.read_automations_by_name(name)}
    assert len(after) == len(before) == 1
    assert not before & after


def test_an_automation_is_the_same_in_every_process():
    code = (
        "from uuid import UUID; from analytics_worker.deployment import automations as a;"
        "print(a.comparable(a._crash_runs_without_heartbeats([UUID(int=1)]), a.IGNORED))"
    )
    shown = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": str(seed)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in range(4)
    }
    assert len(shown) == 1


def test_triggers_have_names_and_descriptions_in_words(client):
    deploy(desired_state(), client)
    found = {each.name: each.description for each in client.read_automations()}
    triggers = [
        trigger
        for deployed, _ in desired_state().deployments.values()
        for trigger in deployed.deployment.triggers
    ]
    assert len(triggers) == 3
    assert all(found[each.name] == each.description for each in triggers)
    assert not [name for name in found if "__automation_" in name]


def test_triggers_of_earlier_versions_are_replaced(client):
    deploy(desired_state(), client)
    deployment = client.read_deployment_by_name("generate-single-report/reports")
    (own,) = [
        each
        for each in client.read_automations()
        if each.name == "analytics-worker: generate a requested report"
    ]
    owner = f"prefect.deployment.{deployment.id}"
    client.delete_resource_owned_automations(owner)
    old = own.model_dump(mode="json", exclude={"id"})
    old |= {"name": "reports__automation_1", "owner_resource": owner}
    client.create_automation(AutomationCore.model_validate(old))
    deploy(desired_state(), client)
    names = [each.name for each in client.read_automations()]
    assert own.name in names
    assert "reports__automation_1" not in names
