"""What a report may require: what is met by which state of its data, and until when it is held."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from analytics_worker.lineage.graph import Node
from analytics_worker.trust.state import DbtTests, OpenIncident, TrustState
from flows.reports.definitions.model import Report
from flows.reports.gate.hold_time import hold_until
from flows.reports.gate.requirements import unmet_requirements
from flows.reports.runs.model import ReportRun

NOW = datetime(2026, 11, 25, 6, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 25, tzinfo=UTC)
PASSED = DbtTests(3, (), (), NOW, ())
ORDERS, SALES = Node("relation", "analytics.orders"), Node("report", "sales")


def run_of(due: datetime = NOW, **fields: object) -> ReportRun:
    report = Report.model_validate(
        {"name": "sales", "sql": "select 1", "schedule": "daily", **fields}
    )
    return ReportRun(
        id=1,
        name="sales",
        kind="scheduled",
        period="2026-11-24",
        key="",
        report=report,
        row={},
        start=MIDNIGHT - timedelta(days=1),
        end=MIDNIGHT,
        reason=None,
        attempts=0,
        created_at=due,
        due_at=due,
    )


def state(**fields: object) -> TrustState:
    known = TrustState(MIDNIGHT, False, "raw.orders", NOW, PASSED, ())
    return known._replace(**fields)


def incident(severity: str, *units: Node) -> OpenIncident:
    return OpenIncident(uuid4(), severity, ORDERS, MIDNIGHT, units)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("requires", "known", "expected"),
    [
        ({"tests": "passed"}, {}, None),
        ({"tests": "passed"}, {"tests": DbtTests(0, (), ("t",), NOW, ())}, None),
        (
            {"tests": "passed"},
            {"tests": DbtTests(3, ("a", "b", "c\n\x1b[0m", "d"), (), NOW, ())},
            "4 dbt tests failed (a, b, c",
        ),
        (
            {"tests": "passed"},
            {"tests": DbtTests(0, (), (), None, ())},
            "no dbt test of what it reads",
        ),
        (
            {"tests": "passed"},
            {"tests": PASSED._replace(untested=("raw.x",))},
            "no dbt test has run since dbt built raw.x",
        ),
        ({"fresh": "6h"}, {}, None),
        (
            {"fresh": "2h"},
            {},
            "its data is complete through 2026-11-25 00:00 UTC, more than 2h ago",
        ),
        ({"fresh": "2h"}, {"complete_through": None}, None),
        (
            {"fresh": "2h"},
            {"complete_through": None, "last_change": MIDNIGHT},
            "its data last changed 2026-11-25 00:00 UTC, more than 2h ago",
        ),
        (
            {"fresh": "2h"},
            {"complete_through": None, "last_change": None},
            "the age of its data is not known",
        ),
        ({"complete": True}, {"complete_through": MIDNIGHT - timedelta(minutes=59)}, None),
        (
            {"complete": True},
            {"complete_through": MIDNIGHT - timedelta(hours=12)},
            "its data is complete only through 2026-11-24 12:00 UTC (limited by raw.orders)",
        ),
        ({"complete": True}, {"is_partial": True}, "it is not known of all of its sources"),
        ({"complete": True}, {"complete_through": None}, "it is not known through which instant"),
        ({"no_incident": "critical"}, {"incidents": (incident("warning", ORDERS),)}, None),
        ({"no_incident": "critical"}, {"incidents": (incident("critical", SALES),)}, None),
        (
            {"no_incident": "critical"},
            {"incidents": (incident("critical", ORDERS, SALES),)},
            "1 incident open (analytics.orders, critical since 2026-11-25 00:00 UTC)",
        ),
        (
            {"no_incident": "warning"},
            {"incidents": (incident("warning", ORDERS),)},
            "1 incident open",
        ),
    ],
)
def test_requirements(requires, known, expected):
    found = unmet_requirements(run_of(requires=requires), state(**known), NOW)
    assert [each.requirement for each in found] == ([next(iter(requires))] if expected else [])
    assert all(each.text.startswith(expected) for each in found)
    assert all(each.text.isprintable() for each in found)


@pytest.mark.parametrize(
    ("fields", "due", "until"),
    [
        ({}, "2026-11-25T06:00Z", "2026-11-26T06:00Z"),
        ({"schedule": "weekly"}, "2026-11-23T08:00Z", "2026-11-30T08:00Z"),
        ({"schedule": "monthly"}, "2026-11-01T08:00Z", "2026-12-01T08:00Z"),
        ({"requires": {"latest": "10:00"}}, "2026-11-25T06:00Z", "2026-11-25T10:00Z"),
        (
            {"requires": {"latest": "10:00"}, "timezone": "Europe/Berlin"},
            "2026-11-25T05:00Z",
            "2026-11-25T09:00Z",
        ),
        (
            {"requires": {"latest": "00:30"}, "at": "23:00"},
            "2026-11-25T23:00Z",
            "2026-11-26T00:30Z",
        ),
        (
            {"requires": {"latest": "12:00"}, "at": ["06:00", "09:00"]},
            "2026-11-25T06:00Z",
            "2026-11-25T09:00Z",
        ),
        (
            {"requires": {"latest": "02:30"}, "at": "01:00", "timezone": "Europe/Berlin"},
            "2026-03-29T00:00Z",
            "2026-03-29T01:00Z",  # the clock skips 02:30
        ),
    ],
)
def test_until_when_a_report_is_held(fields, due, until):
    requires = {"tests": "passed", **fields.pop("requires", {})}
    run = run_of(datetime.fromisoformat(due), requires=requires, **fields)
    assert hold_until(run) == datetime.fromisoformat(until)
