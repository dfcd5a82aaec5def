"""Which runs are lost together with their request, and when it is not run again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Cancelled, Completed, Crashed, Failed

from analytics_worker.circuit_breaker import CircuitOpenError
from analytics_worker.errors import ConfigurationError, PermanentError, may_succeed_later
from analytics_worker.settings import settings
from flows.monitoring.lost_requests.detection import RERUN_TAG, lost_request_time
from flows.monitoring.lost_requests.model import LostRequest
from flows.monitoring.lost_requests.rerun import limit_reached

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LOST = LostRequest(uuid4(), uuid4(), "trigger-alert/alerts", NOW, "Crashed", "killed", reruns=0)


def failed(*, retriable: bool | None, name: str = "Failed") -> State[Any]:
    state = Failed(name=name)
    state.state_details.retriable = retriable
    return state


def due(state: State[Any] | None, *tags: str) -> datetime | None:
    fields = {"flow_id": uuid4(), "state": state, "tags": tags, "expected_start_time": NOW}
    run = FlowRun.model_validate(fields)
    return lost_request_time(run)


@pytest.mark.parametrize(
    ("state", "is_lost"),
    [
        (Crashed(), True),
        (failed(retriable=True), True),
        (failed(retriable=True, name="CircuitOpen"), True),
        (failed(retriable=None, name="TimedOut"), True),
        (failed(retriable=False), False),
        (failed(retriable=None), False),
        (failed(retriable=None, name="Partial"), False),
        (Cancelled(), False),
        (Completed(), False),
        (None, False),
    ],
)
def test_which_runs_are_lost(state: State[Any] | None, is_lost: bool):
    assert due(state, "alerts", RERUN_TAG) == (NOW if is_lost else None)
    assert due(state, "alerts") is None


@pytest.mark.parametrize(
    ("error", "may_succeed"),
    [
        (PermanentError("no such key"), False),
        (ConfigurationError("DATABASE_URL is not valid"), True),
        (OSError("refused"), True),
        (CircuitOpenError("database"), True),
    ],
)
def test_which_errors_are_those_of_the_input(error: Exception, may_succeed: bool):
    assert may_succeed_later(error) is may_succeed
    outer = RuntimeError("a task failed")
    outer.__cause__ = error
    assert may_succeed_later(outer) is may_succeed


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"reruns": 5}, "it was run again 5 times"),
        ({"reruns": 2, "state": "TimedOut"}, "it took too long"),
        ({"reruns": 1, "state": "TimedOut"}, None),
        ({"requested_at": NOW - timedelta(hours=25)}, "it is older than 24 hours"),
    ],
)
def test_when_a_request_is_given_up(changes: dict[str, Any], reason: str | None):
    found = limit_reached(replace(LOST, **changes), NOW)
    assert (found is None) == (reason is None)
    assert (found or "").startswith(reason or "")


def test_no_request_is_run_again_if_that_is_switched_off(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("REQUEST_MAX_RERUNS", "0")
    settings.cache_clear()
    assert limit_reached(LOST, NOW) == "REQUEST_MAX_RERUNS is 0"
