"""Who refuses parameters with mistakes: the API before a run, or the run, whose failure is notified."""

from collections.abc import Iterator
from typing import Any

import pytest
from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import PrefectHTTPStatusError

from analytics_worker.deployment.deploy import deploy, desired_state
from flows.alerts import create_threshold_alert
from flows.reports import generate_ad_hoc_report

pytestmark = pytest.mark.usefixtures("prefect_api", "environment")
WRONG = {"operator": "~", "warning_threshold": "many", "notification_channels": "fax"}


@pytest.fixture
def client() -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as api:
        deploy(desired_state(), api)
        yield api


def start(client: SyncPrefectClient, deployment: str, **parameters: Any) -> Any:
    found = client.read_deployment_by_name(deployment).id
    return client.create_flow_run_from_deployment(found, parameters=parameters)


@pytest.mark.parametrize(
    ("deployment", "parameters", "field"),
    [
        ("refresh-materialized-views/analytics", {"view_names": [" "]}, "view_names"),
        ("run-dbt-models/dbt", {"select": ["--full-refresh"]}, "select"),
        ("run-dbt-models/dbt", {"full_refresh": "yes"}, "full_refresh"),
    ],
)
def test_the_api_refuses_what_the_form_refuses(client, deployment, parameters, field):
    with pytest.raises(PrefectHTTPStatusError, match=field) as refused:
        start(client, deployment, **parameters)
    assert refused.value.response.status_code == 409


def test_a_request_of_an_event_becomes_a_run_with_all_its_mistakes(client):
    run = start(client, "trigger-alert/alerts", alert_data={"x": 1})
    assert run.parameters == {"alert_data": {"x": 1}}
    client.delete_flow_run(run.id)


def test_the_message_of_the_run_names_all_mistakes():
    state = create_threshold_alert(WRONG, 1.0, "bad", return_state=True)
    assert state.name == "Failed"
    named = ["id is missing", "'many'", "'fax'", "'bad' is not a valid status"]
    assert [name for name in named if name not in (state.message or "")] == []
    state = generate_ad_hoc_report({"format": "docx", "max_rows": 0}, return_state=True)
    named = ["name is missing", "query is missing", "'docx'", "max_rows"]
    assert [name for name in named if name not in (state.message or "")] == []
