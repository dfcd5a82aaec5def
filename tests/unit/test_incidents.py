"""Tests of the grouping of problems by their cause, and of the changes of incidents."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from analytics_worker.lineage.graph import Lineage, Node
from flows.monitoring.incidents.causes import Problem, Severity, group_by_cause
from flows.monitoring.incidents.reconcile import Incident, reconcile

NIGHT = datetime(2026, 3, 1, 2, tzinfo=UTC)
A, B, C, D, W = (Node("dbt", name) for name in "ABCDW")
RUNS = Node("deployment", "runs")
UNITS = (A, B, C, D, W, RUNS)


def lineage(*edges: tuple[Node, Node]) -> Lineage:
    graph = Lineage()
    for read, reader in edges:
        graph.add(read, reader)
    return graph


def problem(unit: Node, severity: Severity = Severity.CRITICAL) -> Problem:
    return Problem(unit, severity, NIGHT)


class Story:
    """The incidents after each night, and the changes of each night."""

    def __init__(self) -> None:
        self.open: list[Incident] = []
        self.ended: list[Incident] = []
        self.ids: Iterator[UUID] = (UUID(int=number) for number in range(1, 1000))
        self.nights = 0

    def night(
        self, problems: list[Problem], graph: Lineage | None = None
    ) -> list[tuple[str, str, str]]:
        self.nights += 1
        groups = group_by_cause(problems, graph or Lineage())
        now = NIGHT + timedelta(days=self.nights)
        self.open, events = reconcile(self.open, groups, now, lambda: next(self.ids), self.ended)
        return [
            (event.kind, event.incident.cause.name, "".join(sorted(u.name for u in event.units)))
            for event in events
        ]


def test_nights_of_unrelated_failures() -> None:
    story = Story()
    assert story.night([problem(A)]) == [("opened", "A", "A")]
    assert story.night([problem(A), problem(B)]) == [("opened", "B", "B")]
    assert story.night([problem(B)]) == [("resolved", "A", "")]
    assert story.night([problem(B), problem(W, Severity.WARNING)]) == [("opened", "W", "W")]
    assert [each.severity for each in story.open] == [Severity.CRITICAL, Severity.WARNING]
    assert story.night([]) == [("resolved", "B", ""), ("resolved", "W", "")]


def test_thirty_rules_on_one_table_are_one_incident() -> None:
    table = Node("relation", "shop.orders")
    rules = [Node("rule", f"rule {number}") for number in range(30)]
    graph = lineage(*((table, rule) for rule in rules))
    (group,) = group_by_cause([problem(unit) for unit in (*rules, table)], graph)
    assert group.cause == table
    assert group.units == {table, *rules}


def test_a_warning_does_not_explain_a_failure() -> None:
    groups = group_by_cause([problem(A, Severity.WARNING), problem(B)], lineage((A, B)))
    assert [group.cause for group in groups] == [A, B]


def test_a_cause_further_upstream_merges_into_the_older_incident() -> None:
    story, graph = Story(), lineage((A, B), (A, C))
    story.night([problem(B)], graph)
    story.night([problem(B), problem(C)], graph)
    told = story.night([problem(A), problem(B), problem(C)], graph)
    assert told == [("grew", "A", "A"), ("cause_changed", "A", ""), ("merged", "C", "")]
    assert [incident.id for incident in story.open] == [UUID(int=1)]
    assert story.night([problem(A), problem(B), problem(C)], graph) == []


def test_a_consequence_that_outlives_its_cause_keeps_the_incident() -> None:
    story, graph = Story(), lineage((A, B))
    story.night([problem(A), problem(B)], graph)
    assert story.night([problem(B)], graph) == [("cause_changed", "B", "")]
    assert story.night([], graph) == [("resolved", "B", "")]


def test_consequences_that_outlive_their_cause_stay_together() -> None:
    story, graph = Story(), lineage((A, B), (A, C))
    story.night([problem(A), problem(B), problem(C)], graph)
    assert story.night([problem(B), problem(C)], graph) == [("cause_changed", "B", "")]
    assert story.night([problem(C)], graph) == [("cause_changed", "C", "")]
    assert story.night([], graph) == [("resolved", "C", "")]


def test_a_deployment_connects_no_incidents() -> None:
    story, graph = Story(), lineage((A, RUNS), (B, RUNS))
    story.night([problem(A), problem(RUNS)], graph)
    assert story.night([problem(A), problem(B), problem(RUNS)], graph) == [("opened", "B", "B")]
    assert story.night([problem(B), problem(RUNS)], graph) == [("resolved", "A", "")]
    assert story.night([problem(RUNS)], graph) == [("cause_changed", "runs", "")]
    assert story.night([problem(C), problem(RUNS)], lineage((C, RUNS))) == [
        ("grew", "C", "C"),
        ("cause_changed", "C", ""),
    ]


def test_a_unit_that_fails_again_within_an_incident_is_not_told_again() -> None:
    story, graph = Story(), lineage((A, B))
    story.night([problem(A), problem(B)], graph)
    for _ in range(3):
        assert story.night([problem(A)], graph) == []
        assert story.night([problem(A), problem(B)], graph) == []


def test_a_change_of_severity_is_told_once() -> None:
    story = Story()
    story.night([problem(A, Severity.WARNING)])
    assert story.night([problem(A)]) == [("severity_changed", "A", "")]
    assert story.night([problem(A)]) == []


def test_one_that_ended_lately_goes_on_if_its_cause_fails_again() -> None:
    story, graph = Story(), lineage((A, B))
    story.night([problem(A), problem(B), problem(C)], graph)
    story.ended = story.open
    story.open = []
    assert story.night([problem(B), problem(D), problem(C)]) == [
        ("reopened", "B", "B"),
        ("reopened", "C", "C"),
        ("opened", "D", "D"),
    ]
    assert [each.id.int for each in story.open] == [1, 2, 3]


def test_a_deployment_goes_on_only_if_it_was_the_cause() -> None:
    story, graph = Story(), lineage((A, RUNS))
    story.night([problem(A), problem(RUNS)], graph)
    story.ended, story.open = story.open, []
    assert story.night([problem(RUNS)]) == [("opened", "runs", "runs")]
    story.ended, story.open = story.open, []
    assert story.night([problem(RUNS)]) == [("reopened", "runs", "runs")]


def test_a_cycle_has_one_cause() -> None:
    graph = lineage((A, B), (B, A))
    assert [group.cause for group in group_by_cause([problem(B), problem(A)], graph)] == [A]


nodes = st.sampled_from(UNITS)
problem_lists = st.dictionaries(nodes, st.sampled_from(Severity)).map(
    lambda found: [problem(unit, severity) for unit, severity in found.items()]
)
graphs = st.lists(st.tuples(nodes, nodes), max_size=8).map(lambda edges: lineage(*edges))


@given(st.lists(st.tuples(problem_lists, graphs), max_size=6))
def test_each_problem_is_in_one_open_incident_and_nothing_is_told_twice(
    nights: list[tuple[list[Problem], Lineage]],
) -> None:
    story = Story()
    for problems, graph in nights:
        before = {incident.id for incident in story.open}
        told = story.night(problems, graph)
        covered = [unit for incident in story.open for unit in incident.units]
        assert sorted(covered) == sorted(each.unit for each in problems)
        after = {incident.id for incident in story.open}
        assert sum(kind == "opened" for kind, *_ in told) == len(after - before)
        assert sum(kind in {"resolved", "merged"} for kind, *_ in told) == len(before - after)
        assert story.night(problems, graph) == []
