"""Names of runs: in words, short, safe, and never a reason for a run to fail."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect.client.schemas.objects import FlowRun

from analytics_worker.prefect_support.deployments import deployed_flows
from analytics_worker.prefect_support.run_names import (
    _GENERATED,
    MAX_LENGTH,
    RunName,
    safe_name,
    with_outcome,
)
from flows.alerts import create_threshold_alert, process_pending_alerts, trigger_alert
from flows.analytics import refresh_materialized_views
from flows.dbt import dbt_freshness_check, dbt_run_operation, run_dbt_models
from flows.reports import (
    generate_ad_hoc_report,
    generate_due_reports,
    generate_scheduled_reports,
)
from tests.support.attacks import attack

DUE = datetime(2026, 11, 25, 6, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


def run(
    parameters: dict[str, Any] | None = None, *, name: str = "ivory-pony", due: datetime = DUE
) -> FlowRun:
    return FlowRun(
        id=uuid4(),
        flow_id=uuid4(),
        name=name,
        parameters=parameters or {},
        expected_start_time=due,  # pyright: ignore[reportArgumentType]  # Prefect's own type
    )


def name_of(flow: Any, parameters: dict[str, Any] | None = None, due: datetime = DUE) -> str:
    return flow.flow_run_name.of_run(run(parameters, due=due))


@pytest.mark.parametrize(
    ("flow", "parameters", "name"),
    [
        (process_pending_alerts, {}, "alerts"),
        (generate_due_reports, {}, "reports due"),
        (generate_scheduled_reports, {}, "daily reports for 24 Nov"),
        (generate_scheduled_reports, {"schedule_type": "weekly"}, "weekly reports for 16 – 22 Nov"),
        (generate_scheduled_reports, {"schedule_type": "monthly"}, "monthly reports for Oct 2026"),
        (generate_scheduled_reports, {"schedule_type": "{0}"}, "reports: {0}"),
        (run_dbt_models, {"dbt_args": ["--models", "staging", "kpis"]}, "dbt run: staging, kpis"),
        (run_dbt_models, {"dbt_args": ["--select=a", "--vars", "{x: 1}", "-m", "b"]}, "dbt run: a, b"),
        (run_dbt_models, {"select": ["a", "b", "c", "d", "e", "f"]}, "dbt run: a, b, c, d and 2 more"),
        (run_dbt_models, {"dbt_args": None}, "dbt run"),
        (dbt_freshness_check, {"source_names": ["crm"]}, "dbt source freshness: crm"),
        (dbt_run_operation, {"macro": "grant_select"}, "dbt run-operation: grant_select"),
        (refresh_materialized_views, {"view_names": ['raw."Выручка {x} 100%"']}, 'refresh: raw."Выручка {x} 100%"'),
        (refresh_materialized_views, {}, "materialized views"),
        (trigger_alert, {"alert_data": {"id": 7}}, "alert: 7"),
        (create_threshold_alert, {"threshold_data": {"id": 7, "metric_name": "MRR"}}, "threshold: MRR"),
        (generate_ad_hoc_report, {"report_config": {"name": "Open pipeline"}}, "ad hoc report: Open pipeline"),
    ],
)  # fmt: skip
def test_runs_are_named_after_what_they_do(flow, parameters, name):
    assert name_of(flow, parameters) == name


def test_the_period_is_the_last_one_that_was_over_when_the_run_was_due():
    midnight = datetime(2026, 12, 1, tzinfo=UTC)
    assert name_of(generate_scheduled_reports, due=midnight) == "daily reports for 30 Nov"
    weekly = {"schedule_type": "weekly"}
    due = datetime(2026, 12, 7, 8, tzinfo=UTC)
    assert name_of(generate_scheduled_reports, weekly, due) == "weekly reports for 30 Nov – 6 Dec"


@pytest.mark.parametrize(
    "name", ["Q3 numbers for the board", "retry", "pipeline-check 2", "alerts of Monday"]
)
def test_a_name_that_a_person_chose_is_kept(name):
    assert RunName("alerts").of_run(run(name=name)) == name


@pytest.mark.parametrize("name", ["ivory-pony", "very-quick-fox", "Incredible-Muskox"])
def test_a_generated_name_is_replaced(name):
    assert RunName("alerts").of_run(run(name=name)) == "alerts"


def test_a_run_that_is_started_again_loses_the_outcome_of_its_last_attempt():
    long = RunName(lambda _values, _due: "dbt run: " + "x" * 100)
    first = long.of_run(run())
    for outcome in ("1 failed", "y" * 100):
        assert long.of_run(run(name=with_outcome(first, outcome))) == first


def test_the_outcome_follows_the_name():
    assert with_outcome("alerts", "2 firing of 34") == "alerts: 2 firing of 34"
    assert with_outcome("dbt run: kpis", "1 of 13 failed") == "dbt run: kpis (1 of 13 failed)"
    assert len(with_outcome("a: " + "b" * 200, "c" * 200)) == MAX_LENGTH


@attack(
    by="API caller",
    what="line ends, escapes, braces, overrides of the direction and 10,000 characters in a name of a run",
    answer="one printable line of 80 characters",
)
@pytest.mark.parametrize(
    "text", ["a\nb\x1b[2J", "{0.__class__}", "%s%n", "\u202eevil", "\ud800", "x" * 10_000]
)
def test_a_hostile_name_is_one_short_line(text):
    name = name_of(trigger_alert, {"alert_data": {"id": "a", "name": text}})
    assert name.startswith("alert: ")
    assert len(name) <= MAX_LENGTH
    assert name == name.encode("utf-8", "strict").decode()
    assert not set(name) & set("\n\r\x1b\u202e")


@attack(
    by="API caller",
    what="passwords and tokens in what a run is named after",
    answer="replaced",
)
@pytest.mark.parametrize(
    "text",
    ["postgresql://me:s3cr3t@db/x", "https://hook.example/?token=s3cr3t&a=b", "password=s3cr3t"],
)
def test_a_name_has_no_password(text):
    assert "s3cr3t" not in safe_name(text)


@pytest.mark.parametrize("deployed", deployed_flows(), ids=str)
@given(values=st.lists(JSON, min_size=4, max_size=4))
def test_any_parameters_give_a_name(deployed, values):
    parameters = dict(zip(deployed.flow.parameters.properties, values, strict=False))
    name = name_of(deployed.flow, parameters)
    assert 0 < len(name) <= MAX_LENGTH
    assert len(name.splitlines()) == 1


@pytest.mark.parametrize("deployed", deployed_flows(), ids=str)
def test_names_of_flows_are_not_taken_for_generated_ones(deployed):
    name = name_of(deployed.flow)
    assert name == "ivory-pony" or not _GENERATED.fullmatch(name)
