"""Once per streak: when a deployment begins to fail, and when it works again."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from flows.monitoring._health_state import End, Health, fold

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


def ends(*names: str, deployment: str = "a/b", first: int = 0) -> list[End]:
    return [
        End(
            deployment=deployment,
            run_id=uuid4(),
            state_id=uuid4(),
            ended_at=START + timedelta(minutes=first + minute),
            name=name,
            kind=KINDS[name],
            message=f"it is {name}",
        )
        for minute, name in enumerate(names)
    ]


def turns(*names: str) -> list[str]:
    return [turn.kind for turn in fold({}, ends(*names))[1]]


def test_a_streak_is_told_once_and_its_end_once():
    assert turns("Completed", "Failed", "Crashed", "Partial", "Completed", "Completed") == [
        "failing",
        "recovered",
    ]
    assert turns("Failed", "Completed", "CircuitOpen") == ["failing", "recovered", "failing"]


def test_a_deployment_that_works_from_the_start_is_no_news():
    assert turns("Completed", "Completed") == []


def test_skipped_and_cancelled_runs_neither_fail_nor_recover():
    assert turns("Failed", "Skipped", "Cancelled", "Failed") == ["failing"]
    assert turns("Skipped", "Cancelled") == []


def test_recovery_tells_how_many_runs_failed_and_since_when():
    _, (_, recovered) = fold({}, ends("Failed", "Skipped", "Failed", "Completed"))
    assert (recovered.failures, recovered.since) == (2, START)


def test_deployments_are_judged_apart():
    both = [*ends("Failed", deployment="a/b"), *ends("Failed", "Completed", deployment="c/d")]
    assert [(turn.end.deployment, turn.kind) for turn in fold({}, both)[1]] == [
        ("a/b", "failing"),
        ("c/d", "failing"),
        ("c/d", "recovered"),
    ]


def test_what_ended_before_the_last_one_that_was_judged_changes_nothing():
    ledger, _ = fold({}, ends("Completed", first=10))
    after, told = fold(ledger, ends("Failed", first=5))
    assert (after, told) == (ledger, [])


@given(st.lists(st.sampled_from(sorted(KINDS)), max_size=30), st.integers(0, 30))
def test_looking_twice_or_in_parts_tells_the_same(names: list[str], cut: int):
    every = ends(*names)
    _, at_once = fold({}, every)
    ledger: dict[str, Health] = {}
    in_parts = []
    for part in (every[:cut], every[cut:]):
        ledger, told = fold(ledger, part)
        in_parts += told
    assert in_parts == at_once
    kinds = [turn.kind for turn in at_once]
    assert kinds == ["failing", "recovered"] * (len(kinds) // 2) + ["failing"] * (len(kinds) % 2)
