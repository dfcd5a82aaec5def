"""Metrics of held and restated reports, on a real PostgreSQL."""

import json
from typing import Any

import pytest

from analytics_worker.exporter.collectors.report_runs import HELD, RESTATED, ReportRuns
from analytics_worker.exporter.metric_families import Labels, Value
from tests.support.sql import execute

pytestmark = pytest.mark.usefixtures("environment")

DEFINED: dict[str, Any] = {
    "plain {x} 100%": {},
    "gated": {"requires": {"tests": "passed", "latest": "09:00"}},
    "parts": {
        "tiles": [{"title": "a"}, {"title": "b", "requires": {"fresh": "PT1H"}}],
        "queries": [{"title": "q", "requires": {"no_incident": "critical"}}],
        "restatement": False,
    },
    "odd": {"requires": [1], "tiles": 5, "charts": [{"requires": "x"}]},
    "removed": {"requires": {"complete": True}},
}
ZERO = {("gated", "tests"): 0.0, ("parts", "fresh"): 0.0, ("parts", "no_incident"): 0.0}


@pytest.fixture(autouse=True)
def _reports(environment):
    del environment
    for name, definition in DEFINED.items():
        execute(
            "insert into ops.report_definitions (name, definition, schedule) values (:name, :text, 'daily')",
            name=name,
            text=json.dumps(definition),
        )
    execute("update ops.report_definitions set retired_at = now() where name = 'removed'")


def collected() -> dict[str, dict[Labels, Value]]:
    return {family.name: dict(samples) for family, samples in ReportRuns().collect()}


def test_reports_of_the_files_are_shown_at_zero():
    shown = collected()
    assert shown[HELD.name] == ZERO
    assert shown[RESTATED.name] == {("plain {x} 100%",): 0.0, ("gated",): 0.0, ("odd",): 0.0}


def test_held_runs_are_counted_by_requirement_and_restated_ones_by_report():
    for number, name in enumerate(["gated", "gated", "parts", "plain {x} 100%", "removed"]):
        execute(
            "insert into ops.report_runs (report, kind, period, definition, period_start, period_end, status)"
            " values (:name, 'scheduled', :period, '{}', now(), now(), 'held')",
            name=name,
            period=str(number),
        )
    execute(
        """update ops.report_runs set unmet_requirements = '["tests", "complete"]' where report = 'gated'"""
    )
    execute(
        "update ops.report_runs set status = 'ready', held_parts = :parts, parts_held_until = now()"
        " where report = 'parts'",
        parts=json.dumps([{"requirements": ["fresh", "tests"]}, {"requirements": ["fresh"]}]),
    )
    execute(
        "insert into ops.report_comparisons (run_id, compared_at, unchanged_until, notified)"
        " select id, now(), now(), case report when 'gated' then '[{}]'::jsonb else '[]' end"
        " from ops.report_runs"
    )
    shown = collected()
    assert shown[HELD.name] == ZERO | {
        ("gated", "tests"): 2.0,
        ("gated", "complete"): 2.0,
        ("parts", "fresh"): 1.0,
        ("parts", "tests"): 1.0,
    }
    assert shown[RESTATED.name] == {("plain {x} 100%",): 0.0, ("gated",): 2.0, ("odd",): 0.0}
