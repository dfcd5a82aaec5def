"""Questions to the Prefect API about flow runs, in few words. Reads and writes nothing itself."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from prefect.client.schemas.filters import FlowRunFilter, TaskRunFilter
from prefect.client.schemas.objects import TERMINAL_STATES, StateType

ENDED = sorted(TERMINAL_STATES)
HOLDING_A_SLOT = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]


def runs(states: Sequence[StateType], **conditions: dict[str, Any]) -> FlowRunFilter:
    """Runs in one of these states: ``runs(ENDED, end_time={"after_": since})``."""
    state = {"type": {"any_": list(states)}}
    return FlowRunFilter.model_validate({"state": state, **conditions})


def due(instant: datetime) -> FlowRunFilter:
    """Runs that should have started by then and hold no slot."""
    return runs([StateType.SCHEDULED], next_scheduled_start_time={"before_": instant})


def ended(since: datetime, until: datetime) -> FlowRunFilter:
    """Runs that reached their end in between."""
    return runs(ENDED, end_time={"after_": since, "before_": until})


def tasks_ended(since: datetime, until: datetime) -> TaskRunFilter:
    """Task runs that reached their end in between."""
    return TaskRunFilter.model_validate(
        {
            "state": {"type": {"any_": ENDED}},
            "end_time": {"after_": since, "before_": until},
        }
    )
