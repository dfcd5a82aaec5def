"""A relation that is read was renamed or moved: one incident with its new name, and none where nothing breaks."""

import pytest

from tests.flows.alerts.rules import rule, store
from tests.flows.monitoring.drift import last_text, model, plan, see

OPENED = "opened [critical] raw.orders"
RESOLVED = "resolved [resolved] raw.orders"
COLUMNS = "id bigint not null, amount numeric, status text not null, note text"
ODD = '"Выручка {x} 100%"'


@pytest.mark.usefixtures("shop")
def test_a_renamed_table_has_its_new_name_and_its_readers(incidents, sql):
    sql(f"alter table raw.orders rename to {ODD}")
    assert incidents.told() == [OPENED], "neither the catalog nor a reader noticed"
    text = last_text(sql)
    assert (
        f"it was renamed to raw.{ODD}, and is read by report weekly, rule count, rule revenue\n"
        in text
    )
    assert "Affected: 2 rules, 1 report" in text
    see()
    plan()
    assert incidents.told() == [], "the catalog has recorded it"
    sql(f"alter table raw.{ODD} rename to orders")
    assert incidents.told() == [RESOLVED]


@pytest.mark.usefixtures("shop")
def test_a_table_in_another_schema_is_named_until_nothing_reads_the_old_name(incidents, sql):
    sql("alter table raw.orders set schema analytics")
    assert incidents.told() == [OPENED]
    assert "it was renamed to analytics.orders, and is read by" in last_text(sql)
    sql("create view raw.orders as select * from analytics.orders")
    assert incidents.told() == [RESOLVED]


def test_a_renamed_materialized_view_and_a_dbt_model_that_reads_it(incidents, sql):
    sql("create materialized view analytics.kpis as select 1 as n")
    model(sql, "report_model", ("analytics", "kpis"))
    see()
    sql("alter materialized view analytics.kpis rename to kpis_old")
    assert incidents.told() == ["opened [critical] analytics.kpis"]
    text = last_text(sql)
    assert "renamed to analytics.kpis_old, and is read by dbt model analytics.report_model" in text


def test_a_view_goes_on_with_a_renamed_table(incidents, sql):
    sql("create table raw.events (n int)")
    sql("create view analytics.daily as select n from raw.events")
    sql("grant select on analytics.daily to analytics_reader")
    store(rule("daily", "select n as value from analytics.daily"))
    plan()
    see()
    sql("alter table raw.events rename to events_2")
    assert incidents.told() == []
    see()
    assert incidents.told() == [], "nor when the catalog noticed"
    sql("alter view analytics.daily rename to daily_2")
    assert incidents.told() == ["opened [critical] analytics.daily"]


@pytest.mark.usefixtures("shop")
def test_dbt_replaces_a_relation_by_renaming_two(incidents, sql):
    sql(f"create table raw.orders__dbt_tmp ({COLUMNS})")
    sql(
        "begin; alter table raw.orders rename to orders__dbt_backup;"
        " alter table raw.orders__dbt_tmp rename to orders; commit"
    )
    assert incidents.told() == []
    sql("drop table raw.orders__dbt_backup")
    assert incidents.told() == []
    see()
    plan()
    assert incidents.told() == []


@pytest.mark.usefixtures("shop")
def test_a_relation_that_dbt_did_not_put_back_is_missing_when_the_catalog_noticed(incidents, sql):
    sql("alter table raw.orders rename to orders__dbt_backup")
    assert incidents.told() == []
    see()
    assert incidents.told() == [OPENED]
    assert "it does not exist, and is read" in last_text(sql)


@pytest.mark.usefixtures("shop")
def test_a_table_replaced_by_a_view_or_a_view_by_a_table_with_its_columns_is_none(incidents, sql):
    sql("alter table raw.orders rename to orders_1; create view raw.orders as table raw.orders_1")
    sql("grant select on raw.orders to analytics_reader")
    assert incidents.told() == []
    see()
    plan()
    assert incidents.told() == [], "columns of a view may always be null"
    sql(f"drop view raw.orders; create table raw.orders ({COLUMNS})")
    assert incidents.told() == []
    see()
    assert incidents.told() == []


def test_attached_and_detached_partitions_are_none(incidents, sql):
    sql("create table raw.events (n int, kind text) partition by range (n)")
    sql("create table raw.events_1 (n int, kind text)")
    sql("grant select on raw.events, raw.events_1 to analytics_reader")
    store(
        rule("all", "select n as value from raw.events"),
        rule("part", "select n as value from raw.events_1"),
    )
    plan()
    see()
    for change in ("attach", "detach"):
        bounds = "for values from (0) to (9)" if change == "attach" else ""
        sql(f"alter table raw.events {change} partition raw.events_1 {bounds}")
        assert incidents.told() == []
        see()
        plan()
        assert incidents.told() == []


def test_a_partition_that_is_dropped_or_renamed_is_none_for_readers_of_the_whole(incidents, sql):
    sql("create table raw.events (n int) partition by range (n)")
    for number in (1, 2):
        bounds = f"for values from ({number}) to ({number + 1})"
        sql(f"create table raw.events_{number} partition of raw.events {bounds}")
    sql("grant select on raw.events to analytics_reader")
    store(rule("all", "select sum(n) as value from raw.events"))
    plan()
    see()
    sql("drop table raw.events_1; alter table raw.events_2 rename to events_two")
    assert incidents.told() == []
    see()
    assert incidents.told() == []
