"""health_check of the Prefect API: what it answers, and what keeps runs from starting."""

from typing import Any
from uuid import uuid4

import pytest
from prefect import get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from analytics_worker.deployment.deploy import deploy, desired_state
from flows.monitoring.checks.runner import Check, run_checks
from flows.monitoring.checks.services import API_FIX, check_api, check_deployments, check_pool
from tests.support.fixed_answer import FixedAnswer
from tests.support.stopped_work import LIMIT, PAUSED, carry_out, stop_deployments

pytestmark = pytest.mark.usefixtures("environment")


@pytest.mark.usefixtures("prefect_api")
def test_a_pool_that_hands_out_no_runs_is_degraded():
    with get_client(sync_client=True) as client:
        name = client.create_work_pool(WorkPoolCreate(name=f"stopped-{uuid4().hex[:8]}")).name
        client.send_worker_heartbeat(name, "worker", heartbeat_interval_seconds=30)
        assert check_pool(name)().status == "healthy"
        client.update_work_pool(name, WorkPoolUpdate(concurrency_limit=0))
        finding = check_pool(name)()
        assert (finding.status, finding.message) == ("degraded", f"pool {name} has the limit 0")
        client.update_work_pool(name, WorkPoolUpdate(is_paused=True))
        assert check_pool(name)().fix == f"`prefect work-pool resume {name}`"
        client.update_work_pool(name, WorkPoolUpdate(is_paused=False, concurrency_limit=1))
        queue = client.read_work_queue_by_name("default", name)
        client.update_work_queue(queue.id, is_paused=True)
        finding = check_pool(name)()
        assert finding.message == f"queue default of pool {name} is paused"
        client.delete_work_pool(name)
    finding = check_pool(name)()
    assert (finding.status, "the server has" in finding.message) == ("unhealthy", True)
    assert finding.message.startswith(f"work pool {name} does not exist")


@pytest.mark.usefixtures("prefect_api")
def test_a_deployment_that_does_not_run_is_degraded():
    with get_client(sync_client=True) as client:
        deploy(desired_state(), client)
        assert check_deployments().status == "healthy"
        stop_deployments(client)
        finding = check_deployments()
        assert finding.status == "degraded"
        assert f"{PAUSED}: paused; " in finding.message
        assert f"{LIMIT}: its limit of concurrent runs is 0" in finding.message
        for _ in range(3):
            carry_out(check_deployments().fix, client)
    assert check_deployments().status == "healthy"


@pytest.mark.parametrize(
    ("status", "kind", "texts"),
    [
        (401, "application/json", ("does not accept the login in PREFECT_API_AUTH_STRING", "Set ")),
        (403, "text/html", ("refused the request: status 403", "PREFECT_CLIENT_CUSTOM_HEADERS")),
        (500, "application/json", ("answers GET /api/health with status 500", "make up")),
    ],
)
def test_an_api_that_refuses_is_not_one_that_does_not_answer(status, kind, texts):
    with FixedAnswer(status, kind) as server:
        chosen: dict[Any, str] = {
            PREFECT_API_URL: server.api_url,
            PREFECT_API_AUTH_STRING: "ann:canary",
        }
        with temporary_settings(chosen):
            (result,) = run_checks([Check("prefect api", check_api, 30, fix=API_FIX)])
    assert result["status"] == "unhealthy"
    assert texts[0] in result["message"]
    assert texts[1] in result["fix"]
    assert "canary" not in str(result)
