"""``analytics-worker trust`` and the artifact of the same name, on a real database."""

import json

import pytest
import typer
from prefect import get_client
from prefect.client.schemas.sorting import ArtifactSort
from typer.testing import CliRunner

from analytics_worker.cli.trust import trust
from flows.analytics import refresh_catalog
from tests.flows.alerts.rules import rule, store
from tests.flows.reports.reports import report, store_reports
from tests.support.sql import execute
from tests.support.trust_records import complete, data_test, incident, reads

pytestmark = pytest.mark.usefixtures("environment")

ORDERS, KPIS, ODD = ("raw", "orders"), ("analytics", "kpis"), ("raw", "Выручка {x} 100% [b]")
app = typer.Typer()
app.command()(trust)


def shown(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "80"})
    assert result.exit_code == code, result.output or result.exception
    return result.stdout


@pytest.fixture
def units(environment: str) -> None:  # noqa: ARG001  # its database
    """A source, a view of it with a failed test, an odd name, a rule and a report."""
    complete(*ORDERS, "2026-11-25 12:00+00")
    complete(*KPIS, "2026-11-25 11:00+00", limited_by="raw.orders")
    complete(*ODD, "2026-11-26 00:00+00")
    execute(
        "update ops.completeness set reason = 'no rows from noon' where relation_name = 'orders'"
    )
    execute("insert into ops.dbt_relations values ('shop', 'analytics', 'kpis', null, '[[\"raw\", \"orders\"]]')")  # fmt: skip
    data_test("unique_orders", ORDERS)
    data_test("positive_kpis", KPIS, status="failing")
    store(rule("few orders", "select 1 as value"), rule("apart", "select 1 as value"))
    store_reports(report("weekly", "select 1 as n"))
    reads("rule", "few orders", ORDERS)
    reads("rule", "apart", ODD)
    reads("report", "weekly", KPIS, ODD)


@pytest.mark.usefixtures("units")
def test_all_units_are_listed_those_that_fail_first():
    incident("dbt", "test.shop.positive_kpis")
    document = json.loads(shown("--json"))
    found = [(each["kind"], each["name"]) for each in document["units"]]
    assert found == [
        ("relation", "analytics.kpis"),
        ("report", "weekly"),
        ("relation", 'raw."Выручка {x} 100% [b]"'),
        ("relation", "raw.orders"),
        ("rule", "apart"),
        ("rule", "few orders"),
    ]
    by_name = {each["name"]: each for each in document["units"]}
    assert by_name["weekly"]["complete_through"] == "2026-11-25T11:00:00+00:00"
    assert by_name["weekly"]["failed_tests"] == ["positive_kpis"]
    assert (by_name["apart"]["tests_passed"], by_name["apart"]["incidents"]) == (0, [])


@pytest.mark.usefixtures("units")
def test_the_table_has_a_row_for_each_unit():
    incident("dbt", "test.shop.positive_kpis")
    lines = shown().splitlines()
    assert lines[1].split()[:2] == ["analytics.kpis", "2026-11-25"]
    assert lines[1].split()[3:] == ["raw.orders", "1", "of", "2", "failed", "critical"]
    assert any('raw."Выручка {x} 100% [b]"' in line for line in lines)
    assert lines[-1] == "6 units, 2 with an incident, 2 with a failed test"


@pytest.mark.usefixtures("units")
def test_one_unit_is_shown_with_the_reasons():
    id_ = incident("dbt", "test.shop.positive_kpis")
    assert shown("kpis").splitlines() == [
        "analytics.kpis (relation)",
        "Complete through: 2026-11-25 11:00 UTC, limited by raw.orders",
        "  2026-11-25 12:00  raw.orders: no rows from noon",
        "Tests: 1 passed, 1 failed, 0 warned, last run 2026-11-26 03:00 UTC",
        "  failed  positive_kpis: Got 3 results, configured to fail if != 0",
        "Incidents: 1",
        f"  critical  {str(id_)[:8]}  since 2026-11-26 03:01 UTC  dbt test positive_kpis",
    ]
    text = shown("weekly", "--json")
    assert "Выручка" in text
    document = json.loads(text)
    assert [each["relation"] for each in document["inputs"]] == [
        "raw.orders",
        'raw."Выручка {x} 100% [b]"',
    ]


def test_a_unit_of_which_nothing_is_known():
    store(rule("apart", "select 1 as value"))
    assert shown("apart").splitlines() == [
        "apart (rule)",
        "Complete through: unknown: no event-time column is declared for what it is made from, or none is measured yet",
        "Tests: none",
        "Incidents: none",
    ]
    assert shown().splitlines()[-1] == "1 unit, 0 with an incident, 0 with a failed test"


@pytest.mark.usefixtures("units")
def test_an_unknown_name_is_refused_with_similar_ones():
    result = CliRunner().invoke(app, ["weekl"])
    assert result.exit_code == 1
    assert "Nothing is called 'weekl'; similar names: weekly" in str(result.exception)


def tables() -> list[str]:
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(sort=ArtifactSort.CREATED_DESC, limit=200, offset=0)
    return [str(each.data) for each in found if each.key == "trust"]


@pytest.mark.usefixtures("prefect_api")
def test_the_artifact_is_published_when_it_changed():
    execute("create table raw.sales (n integer)")
    execute("create materialized view analytics.kpis as select n from raw.sales")
    before = len(tables())
    refresh_catalog()
    refresh_catalog()
    assert len(tables()) - before == 1
    assert json.loads(tables()[0])[0]["unit"] == "analytics.kpis"
    incident("relation", "analytics.kpis")
    refresh_catalog()
    assert len(tables()) - before == 2
    assert json.loads(tables()[0])[0]["incident"] == "critical"
