"""What is known of data in one line, beside its numbers."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from analytics_worker.lineage.graph import Node
from analytics_worker.trust.stamp import (
    checks,
    stamp_text,
    trust_json,
    unit_label,
    without_own_failure,
)
from analytics_worker.trust.state import DbtTests, OpenIncident, TrustState

AT = datetime(2026, 11, 25, 23, 59, tzinfo=UTC)
RULE, TABLE = Node("rule", "r"), Node("relation", "raw.orders")
NO_TESTS = DbtTests(0, (), (), None, ())
NOTHING = TrustState(None, False, None, None, NO_TESTS, ())


def dbt_tests(passed: int, **others: Any) -> DbtTests:
    return NO_TESTS._replace(passed=passed, ran_at=AT, **others)


def incident(cause: Node = TABLE, severity: Any = "critical") -> OpenIncident:
    return OpenIncident(UUID(int=1), severity, cause, AT, (cause,))


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ({}, None),
        ({"last_change": AT}, None),
        ({"complete_through": AT}, "Complete through 2026-11-25 23:59 UTC · no incident"),
        (
            {"complete_through": AT, "is_partial": True, "tests": dbt_tests(42)},
            "Complete through 2026-11-25 23:59 UTC (not known of all sources) · 42 tests passed · no incident",
        ),
        ({"tests": dbt_tests(1)}, "1 test passed · no incident"),
        ({"tests": dbt_tests(1, untested=("analytics.kpis",))}, "1 test passed before the last build · no incident"),
        ({"tests": dbt_tests(1, warned=("w",))}, "1 test passed · 1 test warned · no incident"),
        ({"tests": dbt_tests(40, failed=("a",))}, "1 of 41 tests failed: a · no incident"),
        ({"tests": dbt_tests(40, failed=("a", "b"))}, "2 of 42 tests failed: a and others · no incident"),
        ({"incidents": (incident(),)}, "critical incident: raw.orders"),
        (
            {"incidents": (incident(severity="warning"), incident(RULE))},
            "critical incident: rule r and 1 more",
        ),
    ],
)  # fmt: skip
def test_the_stamp_says_what_is_known_and_nothing_else(state: dict[str, Any], text: str | None):
    assert stamp_text(NOTHING._replace(**state), "UTC") == text
    assert (trust_json(NOTHING._replace(**state)) is None) == (text is None)


@pytest.mark.parametrize(
    ("kind", "name", "label"),
    [
        ("relation", 'raw."a b"', 'raw."a b"'),
        ("report", "weekly", "report weekly"),
        ("dbt", "test.shop.unique_a.0123456789", "dbt test unique_a"),
        ("dbt", "unit_test.shop.kpis.sums", "dbt unit_test kpis.sums"),
        ("dbt", "odd", "dbt odd"),
    ],
)
def test_units_are_called_as_people_call_them(kind: Any, name: str, label: str):
    assert unit_label(Node(kind, name)) == label


def test_what_fails_is_marked():
    state = NOTHING._replace(tests=dbt_tests(1, failed=("a",)), incidents=(incident(),))
    assert [each.is_bad for each in checks(state)] == [True, True]
    warning = NOTHING._replace(tests=dbt_tests(1), incidents=(incident(severity="warning"),))
    assert [each.is_bad for each in checks(warning)] == [False, False]


def test_names_from_data_stay_in_one_line():
    hostile = Node("relation", "raw.\x1b[31m\n" + "x" * 500)
    text = stamp_text(NOTHING._replace(incidents=(incident(hostile),)), "UTC") or ""
    assert "\x1b" not in text
    assert "\n" not in text
    assert len(text) < 100


def test_a_failure_of_the_rule_itself_says_nothing_of_its_data():
    own = NOTHING._replace(complete_through=AT, incidents=(incident(RULE), incident()))
    assert without_own_failure(own, RULE).incidents == (incident(),)


def test_instants_are_in_the_time_zone_of_the_readers():
    state = NOTHING._replace(complete_through=AT)
    assert (
        stamp_text(state, "Europe/Berlin") == "Complete through 2026-11-26 00:59 CET · no incident"
    )
