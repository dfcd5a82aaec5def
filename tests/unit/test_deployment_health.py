"""One change when a deployment starts to fail, and one when it recovers."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from flows.monitoring.deployment_health.state_machine import DeploymentHealth, RunEnd, apply_runs

START = datetime(2026, 5, 4, tzinfo=UTC)
KINDS = {
    "Completed": "COMPLETED",
    "Skipped": "COMPLETED",
    "Failed": "FAILED",
    "Partial": "FAILED",
    "CircuitOpen": "FAILED",
    "Crashed": "CRASHED",
    "Cancelled": "CANCELLED",
}


def ends(*names: str, deployment: str = "a/b", first: int = 0) -> list[RunEnd]:
    return [
        RunEnd(
            deployment=deployment,
            run_id=uuid4(),
            state_id=uuid4(),
            ended_at=START + timedelta(minutes=first + minute),
            name=name,
            kind=KINDS[name],
            message=f"state {name}",
        )
        for minute, name in enumerate(names)
    ]


def changes(*names: str) -> list[str]:
    return [change.kind for change in apply_runs({}, ends(*names))[1]]


def test_consecutive_failures_cause_one_change_and_the_recovery_another():
    assert changes("Completed", "Failed", "Crashed", "Partial", "Completed", "Completed") == [
        "failing",
        "recovered",
    ]
    assert changes("Failed", "Completed", "CircuitOpen") == ["failing", "recovered", "failing"]


def test_a_deployment_that_succeeds_from_the_start_does_not_change():
    assert changes("Completed", "Completed") == []


def test_skipped_and_cancelled_runs_neither_fail_nor_recover():
    assert changes("Failed", "Skipped", "Cancelled", "Failed") == ["failing"]
    assert changes("Skipped", "Cancelled") == []


def test_a_recovery_has_the_number_of_failed_runs_and_their_start():
    _, (_, recovered) = apply_runs({}, ends("Failed", "Skipped", "Failed", "Completed"))
    assert (recovered.failures, recovered.since) == (2, START)


def test_deployments_do_not_affect_each_other():
    both = [*ends("Failed", deployment="a/b"), *ends("Failed", "Completed", deployment="c/d")]
    assert [(change.end.deployment, change.kind) for change in apply_runs({}, both)[1]] == [
        ("a/b", "failing"),
        ("c/d", "failing"),
        ("c/d", "recovered"),
    ]


def test_a_run_that_ended_before_the_last_processed_one_changes_nothing():
    before, _ = apply_runs({}, ends("Completed", first=10))
    after, no_changes = apply_runs(before, ends("Failed", first=5))
    assert (after, no_changes) == (before, [])


@given(st.lists(st.sampled_from(sorted(KINDS)), max_size=30), st.integers(0, 30))
def test_processing_in_parts_gives_the_same_changes(names: list[str], cut: int):
    every = ends(*names)
    _, at_once = apply_runs({}, every)
    health: dict[str, DeploymentHealth] = {}
    in_parts = []
    for part in (every[:cut], every[cut:]):
        health, partial = apply_runs(health, part)
        in_parts += partial
    assert in_parts == at_once
    kinds = [change.kind for change in at_once]
    assert kinds == ["failing", "recovered"] * (len(kinds) // 2) + ["failing"] * (len(kinds) % 2)
