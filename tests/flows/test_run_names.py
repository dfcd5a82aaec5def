"""Names of runs on a real server: set at the start, extended at the end, and never a reason for a failure."""

from collections.abc import Iterator

import pytest
from prefect import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from analytics_worker.prefect_support import run_names
from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.results import FlowResult, flow_result
from tests.support.slow_proxy import SlowProxy

pytestmark = pytest.mark.usefixtures("prefect_api")
SLOW_SECONDS = 1.0


class Counted(FlowResult):
    """Result of the flow below."""

    found: int


def outcome(result: Counted) -> str | None:
    return f"{result['found']} found" if result["found"] else None


@flow(timeout_seconds=60, run_name=lambda values, _due: f"count {values['what']}", outcome=outcome)
def count(what: str, found: int = 0, status: str = "success") -> Counted:
    return Counted(**flow_result(status, f"counted {what}"), found=found)  # pyright: ignore[reportArgumentType]


@flow(timeout_seconds=60)
def count_all_orders() -> FlowResult:
    return flow_result("success", "counted")


@flow(timeout_seconds=60, outcome=lambda result: result["nothing"])
def mistaken() -> FlowResult:
    return flow_result("success", "counted")


def name_of(state) -> str:
    with get_client(sync_client=True) as client:
        return client.read_flow_run(state.state_details.flow_run_id).name


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"what": "orders"}, "count orders"),
        ({"what": "orders", "found": 3}, "count orders: 3 found"),
        ({"what": "orders", "found": 3, "status": "partial"}, "count orders: 3 found"),
        ({"what": "{0} % <b>\n\x1b[2J"}, "count {0} % <b> \ufffd[2J"),
    ],
)
def test_a_run_is_named_after_its_parameters_and_its_result(parameters, name):
    assert name_of(count(**parameters, return_state=True)) == name


def test_without_a_name_it_is_that_of_the_function():
    assert name_of(count_all_orders(return_state=True)) == "count all orders"


def test_other_options_keep_the_name():
    assert name_of(count.with_options(retries=1)("orders", return_state=True)) == "count orders"


def test_a_mistake_in_a_name_fails_no_run():
    state = mistaken(return_state=True)
    assert state.is_completed()
    assert name_of(state) == "mistaken"


@pytest.fixture
def proxy() -> Iterator[SlowProxy]:
    """A server behind a proxy that can be slow."""
    port = int(str(PREFECT_API_URL.value()).split(":")[2].split("/")[0])
    with SlowProxy(("127.0.0.1", 0), ("127.0.0.1", port)) as slow:
        yield slow


def test_a_server_that_does_not_answer_fails_no_run(proxy, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(run_names, "REQUEST_SECONDS", SLOW_SECONDS / 5)

    def slow_outcome(_result: FlowResult) -> str:
        proxy.delay = SLOW_SECONDS
        return "never stored"

    @flow(timeout_seconds=60, outcome=slow_outcome)
    def slow() -> FlowResult:
        return flow_result("success", "done")

    url = f"http://127.0.0.1:{proxy.server_address[1]}/api"
    with temporary_settings({PREFECT_API_URL: url}):
        state = slow(return_state=True)
    assert (state.name, state.message) == ("Completed", "done")
    assert proxy.count("PATCH /api/flow_runs/") >= 2
