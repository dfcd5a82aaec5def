"""A flow's result decides the state that its run ends in, and any process can read it."""

import json
import os
import subprocess
import sys

import pytest
from prefect import get_client, task
from prefect.client.schemas.objects import StateType
from prefect.settings import PREFECT_API_URL

from analytics_worker.circuit_breaker import CircuitOpenError, external_circuit_breaker
from analytics_worker.errors import PermanentError
from analytics_worker.prefect_support import retries
from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.results import RunFailed, flow_result
from analytics_worker.prefect_support.runs import find

pytestmark = pytest.mark.usefixtures("prefect_api")


@flow(timeout_seconds=30)
def report(status: str):
    """Report a status."""
    return {**flow_result(status, f"it is {status}"), "summary": {"total": 3}}  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("status", "kind", "name"),
    [
        ("success", StateType.COMPLETED, "Completed"),
        ("skipped", StateType.COMPLETED, "Skipped"),
        ("partial", StateType.FAILED, "Partial"),
        ("failed", StateType.FAILED, "Failed"),
    ],
)
def test_the_status_is_the_state(status, kind, name):
    state = report(status, return_state=True)
    assert (state.type, state.name, state.message) == (kind, name, f"it is {status}")
    assert state.result(raise_on_failure=False)["summary"] == {"total": 3}


def test_a_direct_call_returns_the_result_or_raises_with_it():
    assert report("success")["status"] == "success"
    with pytest.raises(RunFailed, match="Partial: it is partial") as failed:
        report("partial")
    assert failed.value.result is not None
    assert failed.value.result["summary"] == {"total": 3}


@flow(timeout_seconds=30)
def refuse():
    """Fail on bad input."""
    raise PermanentError("unknown view 'x'; there are: a, b")


def test_an_error_becomes_a_result_with_the_reason():
    state = refuse(return_state=True)
    assert (state.name, state.message) == ("Failed", "unknown view 'x'; there are: a, b")
    assert state.result(raise_on_failure=False)["status"] == "failed"


def test_another_process_reads_the_result_of_a_failed_run():
    state = report("partial", return_state=True)
    code = f"from analytics_worker.prefect_support.runs import find; import json; print(json.dumps(find('{state.state_details.flow_run_id}').get(timeout=10)))"
    environment = {**os.environ, "PREFECT_API_URL": str(PREFECT_API_URL.value())}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
    )
    assert json.loads(done.stdout.splitlines()[-1])["status"] == "partial"


def test_the_handle_of_a_run_that_failed():
    state = refuse(return_state=True)
    run = find(str(state.state_details.flow_run_id))
    assert run.ready()
    assert not run.successful()
    assert run.result["error"] == "unknown view 'x'; there are: a, b"


calls: list[int] = []


@task(**retries.policy(retries=3))
def call_service():
    calls.append(1)
    with external_circuit_breaker("down").calling():
        raise AssertionError("the breaker is open: this must not run")


@flow(timeout_seconds=30)
def depend():
    """Call a service that is known to be down."""
    call_service()
    return flow_result("success", "it answered")


def test_an_open_breaker_ends_the_run_as_circuit_open_without_retries():
    external_circuit_breaker("down").force_open()
    calls.clear()
    state = depend(return_state=True)
    assert (state.type, state.name) == (StateType.FAILED, "CircuitOpen")
    assert "down" in state.message
    assert len(calls) == 1
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(state.state_details.flow_run_id)
    assert run.state_name == "CircuitOpen"


def test_circuit_open_errors_name_the_breaker():
    external_circuit_breaker("named").force_open()
    with (
        pytest.raises(CircuitOpenError, match="named"),
        external_circuit_breaker("named").calling(),
    ):
        pytest.fail("the breaker is open")
