"""A column that rules or reports read is dropped, renamed, retyped or made nullable: one incident that names them."""

from datetime import timedelta

import pytest

from analytics_worker.lineage.refused_reports import record_refused_reports
from tests.flows.alerts.rules import rule, store
from tests.flows.monitoring.drift import (
    OPENED,
    RESOLVED,
    REVENUE,
    last_text,
    plan,
    see,
)
from tests.flows.reports.reports import report, store_reports

WARNED = "opened [warning] columns of raw.orders"
ODD = '"Выручка {x} 100%"'


@pytest.mark.usefixtures("shop")
def test_a_dropped_column_names_those_that_read_it_until_it_is_there_again(incidents, sql):
    sql("alter table raw.orders drop amount")
    plan()
    assert incidents.told() == [OPENED], "the catalog need not have seen it"
    text = last_text(sql)
    assert "amount was removed: read by rule revenue" in text
    assert "Affected: 1 rule (revenue)" in text
    see()
    assert incidents.told() == []
    sql("alter table raw.orders add amount numeric")
    assert incidents.told() == [RESOLVED]


@pytest.mark.usefixtures("shop")
def test_a_renamed_column_is_named_until_its_readers_have_the_new_name(incidents, sql):
    sql("alter table raw.orders rename status to state")
    plan()
    assert incidents.told() == [OPENED]
    text = "status was renamed to state: read by report weekly, rule revenue"
    assert text in last_text(sql)
    see()
    assert incidents.told() == []
    assert sql(
        "select change, before, after from ops.catalog_changes where column_name is not null"
    ) == [("column renamed", "status", "state")]
    store(rule("revenue", REVENUE.replace("status", "state")))
    plan()
    assert incidents.told() == []
    assert sql("select problems -> 0 ->> 'message' from ops.incident_units where is_failing") == [
        ("status was renamed to state: read by report weekly",)
    ]
    store_reports(report("weekly", "select state from raw.orders"))
    plan()
    assert incidents.told() == [RESOLVED]


@pytest.mark.usefixtures("shop")
def test_what_nothing_reads_is_only_recorded(incidents, sql):
    sql(
        "alter table raw.orders add more int, drop note, alter id type numeric, alter amount set not null"
    )
    plan()
    see()
    assert incidents.told() == []
    assert len(sql("select 1 from ops.catalog_changes where column_name is not null")) == 4


@pytest.mark.usefixtures("shop")
def test_a_name_that_is_no_column_opens_nothing(incidents, sql):
    """The name of the dropped column is an alias in the text of the rule."""
    store(rule("alias", "select sum(amount) as note, 1 as value from raw.orders"))
    plan()
    sql("alter table raw.orders drop note")
    assert incidents.told() == []
    plan()
    assert incidents.told() == []


@pytest.mark.usefixtures("shop")
def test_another_type_is_a_warning_until_it_is_undone(incidents, sql):
    sql("alter table raw.orders alter status type varchar(20)")
    assert incidents.told() == [WARNED]
    assert (
        "status is character varying(20), it was text: read by report weekly, rule revenue"
        in last_text(sql)
    )
    see()
    assert incidents.told() == []
    sql("alter table raw.orders alter status type text")
    assert incidents.told() == [RESOLVED]
    see()
    assert incidents.told() == [], "the change back is no change of what was before"


@pytest.mark.usefixtures("shop")
def test_a_warning_ends_after_a_day_or_with_the_definition_of_its_readers(incidents, sql):
    sql("alter table raw.orders alter status drop not null")
    see()
    assert incidents.told() == [WARNED]
    assert "status may be null now: read by" in last_text(sql)
    sql("update ops.report_definitions set updated_at = now()")
    assert incidents.told() == []
    sql("update ops.alert_rules set updated_at = now()")
    assert incidents.told() == [RESOLVED]
    sql("update ops.alert_rules set updated_at = now() - interval '9 days'")
    assert incidents.told(timedelta(hours=1)) == [WARNED]
    sql("update ops.catalog_changes set changed_at = now() - interval '25 hours'")
    assert incidents.told() == [RESOLVED]


@pytest.mark.usefixtures("shop")
def test_a_reader_that_fails_after_the_change_makes_it_critical(incidents, sql):
    sql("alter table raw.orders alter amount type text")
    see()
    assert incidents.told() == [WARNED]
    sql(
        "update ops.alert_rules set error = 'sum(text)', error_since = now() where name = 'revenue'"
    )
    assert incidents.told() == ["severity_changed [now critical] columns of raw.orders"]
    assert incidents.open() == [("raw.orders", "critical", 2)], "the rule is a part of it"
    sql("update ops.catalog_changes set changed_at = now() - interval '25 hours'")
    sql(
        "update ops.alert_rules set error_since = now() - interval '24 hours' where name = 'revenue'"
    )
    assert incidents.told() == []
    assert incidents.open() == [("raw.orders", "critical", 2)]
    sql("update ops.alert_rules set error = null, error_since = null")
    assert incidents.told() == [RESOLVED]


def test_odd_names_are_shown_as_they_are(incidents, sql):
    sql(f'create table raw.{ODD} ("a;b %" int, "Ä""x" text not null)')
    sql(f"grant select on raw.{ODD} to analytics_reader")
    store(rule("Umsatz <b>{x}", f'select "a;b %" as value from raw.{ODD} where "Ä""x" = \'1\''))
    plan()
    see()
    sql("update ops.alert_rules set updated_at = now() - interval '9 days'")
    sql(f'alter table raw.{ODD} drop "a;b %", alter "Ä""x" drop not null')
    plan()
    see()
    assert incidents.told() == ["opened [critical] columns of raw.Выручка {x} 100%"]
    message = sql("select problems -> 0 ->> 'message' from ops.incident_units")[0][0]
    changes, readers = message.split(": read by ")
    assert set(changes.split("; ")) == {'"Ä""x" may be null now', '"a;b %" was removed'}
    assert readers == "rule Umsatz <b>{x}"


@pytest.mark.usefixtures("shop")
def test_a_rule_that_cannot_be_planned_leaves_the_others_seen(incidents, sql):
    store(rule("revenue", REVENUE), rule("broken", "select nothing as value from raw.orders"))
    plan()
    sql("alter table raw.orders drop amount")
    plan()
    assert incidents.told() == [OPENED]
    assert "read by rule revenue\n" in last_text(sql)


@pytest.mark.usefixtures("shop")
def test_a_report_that_the_server_refuses_does_not_wait_for_its_own_flow(incidents, sql):
    store_reports(
        report("weekly", "select status from raw.orders where :period_start is not null"),
        report("alias", "select id as status from raw.orders"),
        report("tiled", tiles=[{"title": "Paid", "sql": "select max(status) from raw.orders"}]),
    )
    plan()
    sql("update ops.report_definitions set updated_at = now() - interval '9 days'")
    sql("alter table raw.orders drop status")
    assert record_refused_reports() == []
    assert incidents.told() == [OPENED]
    assert "status was removed: read by report tiled, report weekly\n" in last_text(sql)
    assert record_refused_reports() == []
    sql("alter table raw.orders add status text not null default ''")
    assert incidents.told() == [RESOLVED]
