"""`analytics-worker doctor` names pools that hand out no runs, and late runs."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolUpdate

from analytics_worker.deployment.deploy import deploy, desired_state
from analytics_worker.doctor import server
from analytics_worker.prefect_support.runs import SubmitError, submit
from tests.support.doctor_findings import problems
from tests.support.stopped_work import (
    LIMIT,
    PAUSED,
    SCHEDULE,
    carry_out,
    stop_deployments,
    stop_queues,
)

pytestmark = pytest.mark.usefixtures("environment", "prefect_api")
LATER = {"nothing is scheduled"}
"""What is said until the server's scheduler has looked at a deployment that changed."""


@pytest.fixture
def client() -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as api:
        deploy(desired_state(), api)
        yield api


def test_a_schedule_whose_runs_are_late_fails(
    client: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch
):
    name = "run-dbt-tests/dbt"
    assert "late" not in str(problems(server.schedules(client)).get(name))
    run = client.create_flow_run_from_deployment(client.read_deployment_by_name(name).id)
    monkeypatch.setattr(
        server, "MIN_LATENESS", timedelta(minutes=-5)
    )  # as if five minutes had passed
    assert "runs are late" in problems(server.schedules(client))[name].message
    client.update_work_pool("dbt", WorkPoolUpdate(is_paused=True))
    late = problems(server.schedules(client))[name]
    assert late.message.endswith("runs are late: pool dbt is paused")
    assert late.fix == "`prefect work-pool resume dbt`"
    client.update_work_pool("dbt", WorkPoolUpdate(is_paused=False))
    client.delete_flow_run(run.id)


def test_a_pool_that_hands_out_no_runs_is_named(client: SyncPrefectClient):
    client.update_work_pool("dbt", WorkPoolUpdate(is_paused=True))
    client.update_work_pool("reports", WorkPoolUpdate(concurrency_limit=0))
    found = [each for each in server.workers(client) if each.message.startswith("pool ")]
    client.update_work_pool("dbt", WorkPoolUpdate(is_paused=False))
    deploy(desired_state(), client)  # sets the limit of prefect.yaml
    assert {each.message for each in found} == {
        "pool dbt is paused",
        "pool reports has the limit 0",
    }
    assert {each.level for each in found} == {"warn"}
    assert not [each for each in server.workers(client) if each.message.startswith("pool ")]


def test_a_queue_that_hands_out_no_runs_is_named_and_its_fix_works(client: SyncPrefectClient):
    stop_queues(client)
    found = [each for each in server.workers(client) if each.message.startswith("queue ")]
    assert {(each.name, each.level, each.message) for each in found} == {
        ("reports", "warn", "queue default of pool reports is paused"),
        ("alerts", "warn", "queue default of pool alerts has the limit 0"),
    }
    for each in found:
        carry_out(each.fix, client)
    assert not [each for each in server.workers(client) if each.message.startswith("queue ")]


def test_a_deployment_that_does_not_run_is_named_and_its_fix_works(client: SyncPrefectClient):
    stop_deployments(client)
    found = problems(server.schedules(client))
    assert {name: found[name].message for name in (PAUSED, SCHEDULE, LIMIT)} == {
        PAUSED: "paused",
        SCHEDULE: "its schedule daily is paused",
        LIMIT: "its limit of concurrent runs is 0",
    }
    for name in (PAUSED, SCHEDULE, LIMIT):
        carry_out(found[name].fix, client)
    after = problems(server.schedules(client))
    assert {after[name].message for name in (PAUSED, SCHEDULE, LIMIT) if name in after} <= LATER


def test_a_pool_that_was_deleted_is_named_with_those_that_exist(client: SyncPrefectClient):
    client.delete_work_pool("reports")
    pool = problems(server.workers(client))["reports"]
    assert pool.level == "fail"
    assert pool.message.startswith("work pool reports does not exist; the server has alerts, ")
    name = "generate-scheduled-reports/reports"
    assert problems(server.schedules(client))[name].message == "its work pool was deleted"
    with pytest.raises(SubmitError, match=f"pool of {name} was deleted. Run `analytics-worker dep"):
        submit(name)
    carry_out(pool.fix, client)
    assert "not exist" not in problems(server.workers(client))["reports"].message
    after = problems(server.schedules(client))
    assert name not in after or after[name].message in LATER
