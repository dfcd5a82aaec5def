"""Reports that wait for dbt: only a build of what their SQL reads releases them."""

import pytest

from flows.reports import generate_scheduled_reports
from tests.flows.reports.reports import report, store_reports
from tests.support.sql import execute

pytestmark = pytest.mark.usefixtures("prefect_api", "report_folder", "smtp_sink")
AFTER = {"dbt": "run", "latest": "23:59"}
TILES = [{"title": "n", "sql": 'select count(*) from analytics."Weird.Name"'}]


@pytest.fixture(autouse=True)
def models(environment):  # noqa: ARG001  # their database
    """A table, a view on it, a table that only a tile reads, and an unrelated one, built last week."""
    for statement in (
        "create table analytics.orders as select 1 as n",
        "create view analytics.kpi as select n from analytics.orders",
        'create table analytics."Weird.Name" as select 1 as n',
        "grant select on all tables in schema analytics to analytics_reader",
    ):
        execute(statement)
    for name in ("orders", "kpi", "Weird.Name", "unrelated"):
        execute(
            "insert into ops.dbt_node_health (unique_id, database_name, schema_name, relation_name,"
            " project, resource_type, name, built_at) values"
            " ('model.p.' || :name, current_database(), 'analytics', :name, 'p', 'model', :name,"
            " now() - interval '7 days')",
            name=name,
        )


def build(*names: str, at: str = "now()") -> None:
    execute(
        "insert into ops.dbt_runs (command, started_at, status) values ('dbt run', now(), 'success')"
    )
    for name in names:
        execute(
            f"update ops.dbt_node_health set built_at = {at} where relation_name = :name",
            name=name,
        )


def waiting() -> str | None:
    state = generate_scheduled_reports(return_state=True)
    return state.result(raise_on_failure=False)["waiting"].get("sales")


def test_a_green_run_of_other_models_releases_nothing():
    sql = "select n from analytics.kpi where :period_start < now()"
    store_reports(report(sql=sql, after=AFTER, tiles=TILES))

    build("unrelated")
    assert 'no dbt run of analytics."Weird.Name"' in str(waiting())
    build("kpi", "Weird.Name")
    missing = str(waiting())  # the view is new, the table below it is not
    assert "no dbt run of analytics.orders" in missing
    assert "analytics.kpi" not in missing
    build("orders", at="'-infinity'")  # with --empty
    assert "no dbt run of analytics.orders" in str(waiting())
    build("orders")
    assert waiting() is None


@pytest.mark.parametrize("sql", ["select 1 as n", "select nope from analytics.kpi"])
def test_without_a_model_to_wait_for_any_run_of_dbt_with_data_counts(sql):
    store_reports(report(sql=sql, after=AFTER))
    execute(
        "insert into ops.dbt_runs (command, args, started_at, status)"
        " values ('dbt run', '{--empty}', now(), 'success')"
    )
    assert "no dbt run since" in str(waiting())
    build()
    assert waiting() is None


def dbt_tests(at: str) -> None:
    execute(
        "insert into ops.dbt_node_health (unique_id, database_name, schema_name, relation_name, project,"
        " resource_type, name, status, last_result_at) values ('test.p.t', '', 'audit', 't', 'p', 'test', 't',"
        f" 'failing', {at}) on conflict (unique_id, database_name, schema_name, relation_name)"
        " do update set last_result_at = excluded.last_result_at"
    )
    execute(
        "insert into ops.unit_reads (kind, name, relations)"
        """ values ('dbt', 'test.p.t', '[["analytics", "orders"]]') on conflict do nothing"""
    )


def test_waits_for_the_tests_of_what_was_built():
    store_reports(report(sql="select n from analytics.orders", after=AFTER | {"dbt": "test"}))
    assert "no dbt run of analytics.orders and no dbt test since" in str(waiting())
    build("orders", at="now() - interval '1 s'")
    dbt_tests("now() - interval '1 minute'")
    assert "no dbt test of analytics.orders since" in str(waiting())
    dbt_tests("now()")
    assert waiting() is None


def test_without_tests_of_its_own_any_tests_count():
    store_reports(report(sql="select 1 as n", after=AFTER | {"dbt": "test"}))
    assert "no dbt test since" in str(waiting())
    execute(
        "insert into ops.dbt_runs (command, started_at, status, executed)"
        " values ('dbt build', now(), 'success', 3)"
    )
    assert waiting() is None
