"""Build filters for runs of flows and tasks. Reads and writes nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from prefect.client.schemas.filters import FlowRunFilter, TaskRunFilter
from prefect.client.schemas.objects import TERMINAL_STATES, StateType

FINAL_STATES = sorted(TERMINAL_STATES)
ACTIVE_STATES = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]


def runs_in_states(states: Sequence[StateType], **conditions: dict[str, Any]) -> FlowRunFilter:
    """Return a filter for runs in one of these states: ``runs_in_states(FINAL_STATES, end_time={"after_": since})``."""
    state = {"type": {"any_": list(states)}}
    return FlowRunFilter.model_validate({"state": state, **conditions})


def runs_due(instant: datetime) -> FlowRunFilter:
    """Return a filter for runs that should have started by then and hold no slot."""
    return runs_in_states([StateType.SCHEDULED], next_scheduled_start_time={"before_": instant})


def runs_ended(since: datetime, until: datetime) -> FlowRunFilter:
    """Return a filter for runs that ended in between."""
    return runs_in_states(FINAL_STATES, end_time={"after_": since, "before_": until})


def task_runs_ended(since: datetime, until: datetime) -> TaskRunFilter:
    """Return a filter for task runs that ended in between."""
    return TaskRunFilter.model_validate(
        {
            "state": {"type": {"any_": FINAL_STATES}},
            "end_time": {"after_": since, "before_": until},
        }
    )
