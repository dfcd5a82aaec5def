"""The request of a lost run runs again, once, or its recipients are notified that it is given up."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Cancelled, Completed, Crashed, Failed, Scheduled

from analytics_worker.prefect_support.pagination import pages
from tests.flows.monitoring.conftest import Sql, collect
from tests.support.http_sink import HttpSink

pytestmark = pytest.mark.usefixtures("environment")

DEPLOYMENT = "trigger-alert/alerts"
PARAMETERS = {"alert_data": {"id": 7, "name": "Umsatz {x} 100%"}}


class Requests:
    """Runs of one deployment, as the server knows them."""

    def __init__(self, client: SyncPrefectClient, name: str = DEPLOYMENT) -> None:
        self._client = client
        self._deployment = client.read_deployment_by_name(name).id

    def create(self, state: State[Any], **parameters: Any) -> FlowRun:
        """Create a run that ended in a state."""
        values = parameters or PARAMETERS
        run = self._client.create_flow_run_from_deployment(self._deployment, parameters=values)
        return self.end(run, state)

    def end(self, run: FlowRun, state: State[Any]) -> FlowRun:
        self._client.set_flow_run_state(run.id, state, force=True)
        return self._client.read_flow_run(run.id)

    def all(self) -> list[FlowRun]:
        chosen = FlowRunFilter.model_validate({"deployment_id": {"any_": [self._deployment]}})
        return list(pages(partial(self._client.read_flow_runs, flow_run_filter=chosen)))

    def scheduled(self) -> list[FlowRun]:
        """Return the runs that a worker would start now."""
        return [run for run in self.all() if run.state and run.state.is_scheduled()]

    def delete(self, *runs: FlowRun) -> None:
        for run in runs or self.all():
            self._client.delete_flow_run(run.id)


@pytest.fixture
def requests(client: SyncPrefectClient, variables, http_sink: HttpSink) -> Iterator[Requests]:
    variables(alert_webhook_url=http_sink.url)
    requests = Requests(client)
    requests.delete(*requests.all())
    collect()  # processes runs of other tests
    http_sink.requests.clear()
    yield requests
    requests.delete(*requests.all())


@pytest.fixture
def events(http_sink: HttpSink) -> Callable[[], list[str]]:
    """Run the monitoring flow; return the events that it sent to the webhook."""

    def collect_events() -> list[str]:
        collect()
        found = [posted.json["event"] for posted in http_sink.requests]
        http_sink.requests.clear()
        return found

    return collect_events


def by_an_outage() -> State[Any]:
    state = Failed(message="Connection refused")
    state.state_details.retriable = True
    return state


@pytest.mark.parametrize("state", [Crashed(), by_an_outage(), Failed(name="TimedOut")], ids=str)
def test_the_request_of_a_lost_run_runs_again_once(requests: Requests, sql: Sql, state: State[Any]):
    lost = requests.create(state)
    for _ in range(2):
        assert collect()["status"] == "success"
    (again,) = requests.scheduled()
    assert again.parameters == PARAMETERS
    assert set(lost.tags) == set(again.tags)
    assert again.labels["request.run"] == str(lost.id)
    ((status, next_run),) = sql("select status, next_run_id::text from ops.lost_requests")
    assert (status, next_run) == ("rerun", str(again.id))


@pytest.mark.parametrize(
    "state", [Failed(), Failed(name="Partial"), Cancelled(), Completed()], ids=str
)
def test_a_run_that_was_not_lost_does_not_run_again(
    requests: Requests, sql: Sql, state: State[Any]
):
    requests.create(state)
    collect()
    assert requests.scheduled() == []
    assert sql("select run_id from ops.lost_requests") == []


def test_a_process_that_is_killed_before_it_noted_the_next_run_creates_no_second(
    requests: Requests, sql: Sql
):
    requests.create(Crashed())
    collect()
    sql("update ops.lost_requests set status = 'waiting', next_run_id = null")
    collect()
    assert len(requests.scheduled()) == 1


def lose_again(requests: Requests, sql: Sql) -> list[tuple[Any, ...]]:
    """Lose the next run, too, and let its delay end."""
    (again,) = requests.scheduled()
    requests.end(again, Crashed(message="killed again"))
    collect()
    delays = sql("select due_at - ended_at from ops.lost_requests where status = 'waiting'")
    sql("update ops.lost_requests set due_at = now() where status = 'waiting'")
    return delays


def test_a_request_that_is_lost_again_and_again_is_given_up(
    requests: Requests, events: Callable[[], list[str]], sql: Sql, variables, http_sink: HttpSink
):
    variables(request_max_reruns=3)
    first = requests.create(Crashed())
    assert events() == ["incident_opened"]
    minutes: list[float] = []
    for _ in range(2):
        ((delay,),) = lose_again(requests, sql)
        minutes.append(delay.total_seconds() / 60)
        collect()
    assert minutes == [1, 4]
    assert {UUID(str(row[0])) for row in sql("select request_id from ops.lost_requests")} == {
        first.id
    }
    (last,) = requests.scheduled()
    requests.end(last, Crashed(message="killed again"))
    http_sink.requests.clear()
    assert events() == ["request_lost"]
    assert events() == []
    assert requests.scheduled() == []
    (content,) = sql("select content from ops.messages where kind = 'request_lost'")[0]
    assert content["subject"].startswith(f"[lost] {DEPLOYMENT}: the request of ")
    assert "it was run again 3 times (REQUEST_MAX_RERUNS)" in content["text"]
    assert "Crashed: killed again" in content["text"]
    assert f"prefect flow-run retry {content['json']['run_id']}" in content["text"]
    assert "Umsatz" not in str(content)


def test_an_old_request_is_given_up(
    requests: Requests, events: Callable[[], list[str]], sql: Sql, variables
):
    variables(request_rerun_max_hours=0.000001)
    requests.create(Crashed())
    assert events() == ["incident_opened", "request_lost"]
    assert requests.scheduled() == []
    ((status, reason),) = sql("select status, reason from ops.lost_requests")
    assert (status, reason) == (
        "given up",
        "it is older than 1e-06 hours (REQUEST_RERUN_MAX_HOURS)",
    )


def test_a_request_that_can_not_run_again_does_not_affect_the_others(requests: Requests, sql: Sql):
    removed, lost = requests.create(Crashed()), requests.create(Crashed())
    collect()
    requests.delete(*requests.scheduled(), removed)
    sql("update ops.lost_requests set status = 'waiting', next_run_id = null")
    result = collect()
    assert len(requests.scheduled()) == 1
    rows = sql("select run_id::text, status, reason from ops.lost_requests order by ended_at")
    assert rows == [
        (str(removed.id), "given up", "its run or its deployment was deleted"),
        (str(lost.id), "rerun", None),
    ]
    assert "2 lost requests (see the log)" in str(result["message"])


def test_a_run_that_a_person_starts_again_is_left_alone_until_it_is_lost_again(
    requests: Requests, sql: Sql
):
    lost = requests.create(Crashed())
    collect()
    requests.delete(*requests.scheduled())
    sql("update ops.lost_requests set status = 'waiting', next_run_id = null")
    requests.end(lost, Scheduled())
    collect()
    assert sql("select status from ops.lost_requests") == [("dropped",)]
    requests.end(lost, Crashed())
    collect()
    assert sql("select status from ops.lost_requests") == [("rerun",)]
    assert len(requests.scheduled()) == 1


def test_the_incident_of_the_lost_run_ends_with_the_next_run(
    requests: Requests, events: Callable[[], list[str]]
):
    requests.create(Completed())
    assert events() == []
    requests.create(Crashed(message="its host is unavailable"))
    assert events() == ["incident_opened"]
    (again,) = requests.scheduled()
    requests.end(again, Completed())
    assert events() == ["incident_resolved"]


def test_a_request_that_is_given_up_without_recipients_is_named(requests: Requests, variables):
    variables(alert_webhook_url="", request_max_reruns=0)
    requests.create(Crashed())
    result = collect()
    assert result["untold"] == [DEPLOYMENT, f"a request of {DEPLOYMENT}"]


def test_runs_of_other_deployments_do_not_run_again(client: SyncPrefectClient, sql: Sql, requests):
    del requests
    macro = Requests(client, "dbt-run-operation/dbt")
    macro.create(Crashed(), macro="as_of_date")
    collect()
    assert sql("select run_id from ops.lost_requests") == []
    assert macro.scheduled() == []
    macro.delete(*macro.all())
