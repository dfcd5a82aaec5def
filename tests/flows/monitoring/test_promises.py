"""Promises: warned of before they are broken, broken, kept, and what follows for incidents and attainment."""

import json

import pytest

from tests.flows.monitoring.incidents import Warehouse
from tests.flows.monitoring.promises import ORDERS, Promises, at

REPORT = "report daily"
OF_ORDERS = 'timezone: Europe/Berlin\npromise: {raw.orders: {by: "07:30"}}'


def test_a_relation_that_is_not_complete_in_time_is_critical_until_it_is(promises: Promises):
    promises.trust(OF_ORDERS)
    promises.complete(at("23:00", "2026-11-22"), at("23:05", "2026-11-22"))
    assert promises.tick(at("06:00")) == []
    assert promises.state() == ("waiting", "")
    assert promises.tick(at("07:31")) == [], "it may have come and not been measured yet"
    assert promises.tick(at("07:36")) == ["opened [critical] promise of raw.orders"]
    assert promises.state() == (
        "broken",
        (
            "promised by 2026-11-24 07:30 (Europe/Berlin); waits for data of raw.orders,"
            " complete through 2026-11-22 23:00 CET"
        ),
    )
    assert promises.tick(at("09:00")) == []
    promises.complete(at("08:58"), at("09:03"))
    assert promises.tick(at("09:04")) == ["resolved [resolved] promise of raw.orders"]
    assert promises.state() == ("late", "")
    assert promises.days() == [(ORDERS, "2026-11-24", False)]
    assert promises.tick(at("06:00", "2026-11-25")) == []


def test_what_came_in_time_and_was_seen_later_is_kept(promises: Promises):
    promises.trust(OF_ORDERS)
    promises.tick(at("06:00"))
    promises.complete(at("07:28"), at("07:29"))
    assert promises.tick(at("07:35")) == []
    assert promises.state() == ("kept", "")
    assert promises.days() == [(ORDERS, "2026-11-24", True)]


def test_a_nightly_load_need_not_reach_midnight(promises: Promises, sql):
    promises.trust(OF_ORDERS)
    promises.tick(at("00:01"))
    promises.complete(at("21:14", "2026-11-23"), at("21:30", "2026-11-23"))
    promises.tick(at("02:00"))
    assert promises.state()[0] == "waiting", "it is of the evening"
    sql(
        "insert into ops.event_time_measurements (schema_name, relation_name, column_name, origin,"
        " complete_through, measured_at, missing) values ('raw', 'orders', 'at', 'dbt', %s, %s, '[]')",
        (at("21:14", "2026-11-23"), at("03:00")),
    )
    promises.tick(at("03:01"))
    assert promises.state()[0] == "kept", "the pattern expects no more rows"


def test_rows_that_the_pattern_expects_are_awaited(promises: Promises, sql):
    promises.trust(OF_ORDERS)
    promises.tick(at("00:01"))
    promises.complete(at("12:00", "2026-11-23"), at("02:00"))
    missing = [{"hour": str(at("13:00", "2026-11-23")), "rows": 40}]
    sql(
        "insert into ops.event_time_measurements (schema_name, relation_name, column_name, origin,"
        " complete_through, measured_at, missing) values ('raw', 'orders', 'at', 'dbt', %s, %s, %s)",
        (at("12:00", "2026-11-23"), at("03:00"), json.dumps(missing)),
    )
    promises.tick(at("03:01"))
    assert promises.state()[0] == "waiting"
    assert promises.tick(at("07:36")) == ["opened [critical] promise of raw.orders"]


def test_it_warns_before_it_is_broken_and_names_what_it_waits_for(promises: Promises, sql):
    promises.trust('timezone: Europe/Berlin\npromise: {analytics.kpis: {by: "07:30"}}')
    sql(
        "insert into ops.dbt_relations values ('p', 'analytics', 'kpis', null, '[[\"raw\", \"orders\"]]')"
    )
    name = "analytics.kpis"
    promises.history(name, "06:12", dbt="06:05")
    promises.tick(at("00:10"))
    assert promises.tick(at("06:30")) == []
    promises.began = {"run-dbt-models/dbt": at("07:05"), "other/dbt": at("01:00")}
    assert promises.tick(at("07:06")) == ["opened [warning] promise of analytics.kpis"]
    assert promises.state(name) == (
        "at risk",
        (
            "expected 07:53, promised 07:30; waits for dbt run-dbt-models, which usually takes 41 min and"
            " began at 07:05"
        ),
    )
    ((text,),) = sql("select content ->> 'text' from ops.messages")
    assert "expected 07:53, promised 07:30" in text
    assert promises.tick(at("07:31")) == []
    assert promises.tick(at("07:36")) == [
        "severity_changed [now critical] promise of analytics.kpis"
    ]
    sql(
        "insert into ops.completeness (schema_name, relation_name, complete_through, basis, measured_at)"
        " values ('analytics', 'kpis', %s, 'last change', %s)",
        (at("07:50"), at("07:55")),
    )
    assert promises.tick(at("07:56")) == ["resolved [resolved] promise of analytics.kpis"]


def test_a_warning_ends_if_it_comes_in_time(promises: Promises):
    promises.trust(OF_ORDERS)
    promises.history(ORDERS, "07:52")
    assert promises.tick(at("00:10")) == ["opened [warning] promise of raw.orders"]
    assert promises.state()[1].startswith("expected 07:52, promised 07:30; ")
    promises.complete(at("06:58"), at("07:00"))
    assert promises.tick(at("07:01")) == ["resolved [resolved] promise of raw.orders"]
    assert promises.state() == ("kept", "")


def test_without_history_there_is_only_broken(promises: Promises):
    promises.trust(OF_ORDERS)
    promises.history(ORDERS, "07:52", days=4)
    assert promises.tick(at("00:10")) == []
    assert promises.tick(at("07:29")) == []
    assert promises.tick(at("07:36")) == ["opened [critical] promise of raw.orders"]


def test_a_report_is_there_when_all_of_it_was_delivered(promises: Promises):
    promises.report(owner="ann@example.com")
    assert promises.tick(at("06:59")) == []
    assert promises.days() == [], "it is not due yet"
    promises.tick(at("07:01"))
    parts = [promises.run(key=key) for key in ("a", "b")]
    promises.run("skipped")
    promises.delivery(parts[0], at("07:05"))
    promises.delivery(parts[1], None)
    assert promises.tick(at("07:29")) == []
    assert promises.tick(at("07:36")) == ["opened [critical] promise of report daily"]
    assert promises.state(REPORT)[1].endswith("; its delivery has not ended")
    ((owner,),) = promises.sql("select owner from ops.incidents")
    assert owner == "ann@example.com"
    promises.sql(
        "update ops.deliveries set status = 'sent', sent_at = %s where status = 'pending' and domain = 'reports'",
        (at("07:40"),),
    )
    assert promises.tick(at("07:41")) == ["resolved [resolved] promise of report daily"]
    assert promises.days() == [(REPORT, "2026-11-24", False)]


@pytest.mark.parametrize(
    ("status", "sent", "kept"),
    [("ready", True, True), ("ready", None, True), ("skipped", None, True), ("failed", None, None)],
)
def test_which_runs_keep_the_promise(promises: Promises, status: str, sent, kept):
    promises.report()
    promises.tick(at("07:01"))
    run = promises.run(status)
    if sent:
        promises.delivery(run, at("07:20"))
    promises.tick(at("07:40"))
    assert promises.days() == [(REPORT, "2026-11-24", kept)]


def test_a_report_that_was_not_delivered_is_over_with_the_next_one(promises: Promises):
    promises.report()
    promises.tick(at("07:01"))
    assert promises.tick(at("07:40")) == ["opened [critical] promise of report daily"]
    assert promises.tick(at("07:10", "2026-11-25")) == []
    promises.run(end="2026-11-25")
    assert promises.tick(at("07:11", "2026-11-25")) == [
        "resolved [resolved] promise of report daily"
    ]
    kept = [(REPORT, "2026-11-24", None), (REPORT, "2026-11-25", True)]
    assert promises.days() == kept


def test_a_failed_report_explains_its_broken_promise(promises: Promises):
    promises.report()
    promises.tick(at("07:01"))
    Warehouse(promises.sql).report("daily", "no such column", period="2026-11-23")
    promises.sql("update ops.report_runs set period_end = %s", (at("00:00"),))
    assert promises.tick(at("07:40")) == ["opened [critical] report daily"]
    assert promises.incidents.open() == [("daily", "critical", 2)]
    assert "its last run failed: no such column" in promises.state(REPORT)[1]
