"""The forms as a person sees them: the Prefect UI in a real browser, on the product's server."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_URL, temporary_settings

from analytics_worker.deployment.deploy import deploy, desired_state
from tests.support.browser import evaluate, opened
from tests.support.guarded_server import client_of
from tests.support.processes import Server
from tests.support.wait_until import wait_until

TEXT = "document.body ? document.body.innerText : ''"
CHECK_FIRST = "document.querySelector('[role=switch]').click()"
FILL = """((label, value) => {
  const found = [...document.querySelectorAll("label")].find(each => each.textContent === label);
  const box = document.getElementById(found.htmlFor);
  Object.getOwnPropertyDescriptor(Object.getPrototypeOf(box), "value").set.call(box, value);
  box.dispatchEvent(new Event("input", { bubbles: true }));
})(%s, %s)"""
SUBMIT = "document.querySelector('form').requestSubmit()"


@pytest.fixture(scope="module")
def client(bare_server: Server) -> Iterator[SyncPrefectClient]:
    with client_of(bare_server) as api:
        with temporary_settings({PREFECT_API_URL: bare_server.api_url}):
            deploy(desired_state(), api)
        yield api


def form_of(server: Server, client: SyncPrefectClient, deployment: str) -> Any:
    """A browser at "Custom run" of a deployment, as a context manager."""
    found = client.read_deployment_by_name(deployment).id
    return opened(f"http://127.0.0.1:{server.port}/v2/deployments/deployment/{found}/run")


def missing(browser: Path, labels: list[str]) -> list[str]:
    """The labels that the page does not show."""
    text = str(evaluate(browser, TEXT))
    return [label for label in labels if label not in text]


def requested(client: SyncPrefectClient) -> list[FlowRun]:
    """The runs that no schedule has created."""
    return [each for each in client.read_flow_runs() if not each.auto_scheduled]


@pytest.mark.parametrize(
    ("deployment", "labels"),
    [
        ("trigger-alert/alerts", ["Identity", "Query", "Condition", "Lower and upper bound", "Channels"]),
        ("create-threshold-alert/alerts", ["Metric", "Critical threshold", "current_value", "status"]),
        ("generate-single-report/reports", ["Name", "Query", "Several formats", "Recipients", "Period"]),
        ("generate-ad-hoc-report/reports", ["Query", "One format", "To, cc, bcc and channels"]),
        ("run-dbt-models/dbt", ["select", "exclude", "full_refresh", "These"]),
        ("refresh-materialized-views/analytics", ["These views", "All views whose inputs changed"]),
    ],
)  # fmt: skip
def test_parameters_are_fields(bare_server: Server, client, deployment, labels):
    with form_of(bare_server, client, deployment) as browser:
        wait_until(lambda: not missing(browser, labels), 60, 0.3)


def test_the_form_names_all_mistakes_before_it_sends_anything(bare_server: Server, client):
    with form_of(bare_server, client, "trigger-alert/alerts") as browser:
        wait_until(lambda: "Identity" in str(evaluate(browser, TEXT)), 60, 0.3)
        evaluate(browser, CHECK_FIRST)
        evaluate(browser, SUBMIT)
        wait_until(lambda: "is a required property" in str(evaluate(browser, TEXT)), 60, 0.3)
    assert requested(client) == []


def test_what_a_person_fills_is_what_the_run_gets(bare_server: Server, client):
    """Fields that stay empty are not sent, except those with defaults."""
    filled = {"Name": "Open pipeline", "Query": "select 1 as n"}
    with form_of(bare_server, client, "generate-ad-hoc-report/reports") as browser:
        wait_until(lambda: "Query" in str(evaluate(browser, TEXT)), 60, 0.3)
        for label, value in filled.items():
            evaluate(browser, FILL % (json.dumps(label), json.dumps(value)))
        evaluate(browser, SUBMIT)
        wait_until(lambda: requested(client), 60, 0.3)
    (run,) = requested(client)
    assert run.parameters == {
        "report_config": {"name": "Open pipeline", "query": "select 1 as n", "format": "csv"}
    }
    client.delete_flow_run(run.id)
