"""After downtime, one run per schedule catches up."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect.client.schemas.objects import FlowRun

from analytics_worker.prefect_support.catch_up import is_late, schedule_key, superseded_runs

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
DEPLOYMENT, DAILY, WEEKLY = uuid4(), uuid4(), uuid4()


def run(minutes_ago: float, schedule: UUID | None = DAILY, **values: Any) -> FlowRun:
    creator = {"id": schedule, "type": "SCHEDULE", "display_value": "x"} if schedule else None
    fields = {
        "flow_id": uuid4(),
        "deployment_id": DEPLOYMENT,
        "created_by": creator,
        "auto_scheduled": True,
        "expected_start_time": NOW - timedelta(minutes=minutes_ago),
    }
    return FlowRun.model_validate(fields | values)


def superseded_ids(*runs: FlowRun) -> list[UUID]:
    return [older.id for older, _ in superseded_runs(runs)]


def test_the_newest_run_of_a_schedule_catches_up():
    first, second, third = run(60), run(30), run(1)
    assert superseded_ids(third, first, second) == [first.id, second.id]
    assert {newest.id for _, newest in superseded_runs([first, second, third])} == {third.id}


def test_each_schedule_of_a_deployment_catches_up_separately():
    daily, weekly = [run(60), run(5)], [run(50, WEEKLY), run(2, WEEKLY)]
    assert superseded_ids(*daily, *weekly) == [daily[0].id, weekly[0].id]


def test_without_a_schedule_runs_are_grouped_by_parameters():
    one = [run(minutes, None, parameters={"schedule_type": "daily"}) for minutes in (60, 5)]
    other = run(30, None, parameters={"schedule_type": "weekly"})
    assert superseded_ids(*one, other) == [one[0].id]


def test_the_same_schedule_id_in_two_deployments_is_two_schedules():
    assert schedule_key(run(1)) != schedule_key(run(1, deployment_id=uuid4()))


@pytest.mark.parametrize(
    ("values", "late"),
    [
        ({}, True),
        ({"auto_scheduled": False}, False),  # requested
        ({"run_count": 1}, True),  # first attempt
        ({"run_count": 2}, False),  # paused before, or retried
        ({"expected_start_time": NOW - timedelta(seconds=20)}, False),
        ({"expected_start_time": None}, False),
    ],
)
def test_only_unstarted_scheduled_runs_can_be_late(values: dict[str, Any], late: bool):
    assert is_late(run(10, **values), NOW) is late


@given(st.lists(st.tuples(st.integers(0, 500), st.sampled_from([DAILY, WEEKLY]))))
def test_the_latest_time_of_each_schedule_remains(pairs: list[tuple[int, UUID]]):
    runs = [run(minutes, schedule) for minutes, schedule in pairs]
    superseded = set(superseded_ids(*runs))
    remaining = [each for each in runs if each.id not in superseded]
    assert {schedule_key(each) for each in remaining} == {schedule_key(each) for each in runs}
    for each in remaining:
        same = [r for r in runs if schedule_key(r) == schedule_key(each)]
        assert max(map(due, same)) == due(each)


def due(flow_run: FlowRun) -> float:
    assert flow_run.expected_start_time
    return flow_run.expected_start_time.timestamp()
