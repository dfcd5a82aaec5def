"""The project on the sample: everything passes, everything is described, the figures make sense."""

from pathlib import Path

import pytest

from tests.dbt_project.conftest import Warehouse
from tests.dbt_project.invocation import Invocation

KPIS = ["compliance_kpis", "outreach_kpis", "pipeline_kpis", "revenue_kpis"]


def test_models_unit_tests_and_data_tests_pass_without_a_warning(
    built: tuple[Path, Invocation],
) -> None:
    build = built[1]
    assert build.success, build
    assert build.warnings == []  # deprecated syntax would be among them
    assert set(build.with_status("success", "pass", "no-op")) == set(build.nodes)


def test_the_scheduled_selection_is_every_model(
    warehouse: Warehouse, built: tuple[Path, Invocation]
) -> None:
    listed = warehouse.dbt("ls", "--resource-type", "model", "--select", "staging", "kpis")
    models = {file.stem for file in (warehouse.project / "models").rglob("*.sql")}
    assert {name.rsplit(".", 1)[-1] for name in listed.names} == models
    assert models <= built[1].nodes.keys()


def test_sources_are_fresh(warehouse: Warehouse) -> None:
    freshness = warehouse.dbt("source", "freshness")
    assert freshness.success, freshness
    assert set(freshness.with_status("pass")) >= {"opportunities", "activities", "invoices"}


@pytest.mark.parametrize("kpi", KPIS)
def test_the_old_name_of_a_kpi_works(warehouse: Warehouse, kpi: str) -> None:
    shown = warehouse.rows(f"SELECT * FROM analytics_{kpi} LIMIT 100")  # our own name
    assert shown
    assert set(shown) <= set(warehouse.rows(f"table analytics.{kpi}"))


def test_every_relation_and_column_is_described(warehouse: Warehouse) -> None:
    undescribed = warehouse.rows("""
        select attrelid::regclass, attname
        from pg_attribute
        inner join pg_class on pg_class.oid = attrelid
        where relnamespace in ('raw'::regnamespace, 'staging'::regnamespace, 'analytics'::regnamespace)
            and relkind in ('r', 'v', 'm') and attnum > 0
            and (col_description(attrelid, attnum) is null or obj_description(attrelid) is null)
    """)
    assert undescribed == []


def test_descriptions_of_models_end_with_the_grain(warehouse: Warehouse) -> None:
    described = warehouse.rows("""
        select relname, obj_description(oid) from pg_class
        where relnamespace in ('staging'::regnamespace, 'analytics'::regnamespace)
            and relkind in ('v', 'm')
    """)
    assert [name for name, text in described if "Grain: " not in text.rsplit(". ", 1)[-1]] == []


@pytest.mark.parametrize("kpi", KPIS)
def test_a_kpi_can_be_refreshed_concurrently(warehouse: Warehouse, kpi: str) -> None:
    with warehouse.connect() as connection:
        connection.exec_driver_sql(f"refresh materialized view concurrently analytics.{kpi}")


def test_the_reader_role_sees_all_that_dbt_made(warehouse: Warehouse) -> None:
    hidden = [
        name
        for name in warehouse.relations()
        if not warehouse.value(
            f"select has_table_privilege('analytics_reader', '{name}', 'select')"
        )
    ]
    assert hidden == []


def test_the_figures_make_sense(warehouse: Warehouse) -> None:
    won, lost, unexpected = warehouse.rows("""
        select sum(won_opportunities), sum(lost_opportunities),
            sum(open_opportunities) filter (where month > current_date + interval '1 year')
        from analytics.pipeline_kpis
    """)[0]
    assert 0.15 < won / (won + lost) < 0.35
    assert not unexpected
    first, last, churn, overdue = warehouse.rows("""
        with months as (
            select month, sum(mrr) as mrr, sum(churned_mrr) as churned, sum(overdue_amount) as overdue
            from analytics.revenue_kpis
            group by month
        )
        select
            (array_agg(mrr order by month))[25], (array_agg(mrr order by month desc))[1],
            avg(churned / mrr) filter (where month > current_date - 400),
            avg(overdue / mrr) filter (where month > current_date - 400)
        from months
    """)[0]
    assert last > 2 * first
    assert 0.002 < churn < 0.03
    assert 0.08 < overdue < 0.3
    assert (
        0.5 < warehouse.value("select avg(consent_coverage) from analytics.compliance_kpis") < 0.8
    )
    replies = warehouse.rows(
        "select channel, sum(replies) / sum(touches) from analytics.outreach_kpis group by channel"
    )
    assert all(0.05 < rate < 0.5 for _, rate in replies)
