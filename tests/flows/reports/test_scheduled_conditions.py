"""Scheduled reports with a condition: only if there are rows or changes, or after their data is new."""

import pytest

from flows.reports import generate_scheduled_reports
from tests.flows.reports.reports import OWNER, body, report, runs, store_reports
from tests.support.sql import execute

pytestmark = pytest.mark.usefixtures("prefect_api", "report_folder")


@pytest.mark.parametrize(
    ("condition", "sql", "status"),
    [
        ("rows", "select 1 as n where false", "skipped"),
        ("rows", "select 1 as n", "ready"),
        ("no_rows", "select 1 as n where false", "ready"),
        ("no_rows", "select 1 as n", "skipped"),
    ],
)
def test_only_if(condition, sql, status, smtp_sink, report_folder):
    store_reports(report(sql=sql, only_if=condition))
    generate_scheduled_reports()
    assert runs() == [("sales", "", status)]
    assert len(smtp_sink.messages) == len(list(report_folder.iterdir())) == (status == "ready")


def test_only_if_changed(smtp_sink):
    execute("create table analytics.t (n integer)")
    execute("grant select on analytics.t to analytics_reader")
    execute("insert into analytics.t values (1), (2)")
    store_reports(report(sql="select n from analytics.t order by random()", only_if="changed"))
    for change in ("select 1", "select 1", "insert into analytics.t values (3)"):
        execute(change)
        generate_scheduled_reports()
        age_by_a_day()
    assert [status for _, _, status in runs()] == ["ready", "skipped", "ready"]
    assert len(smtp_sink.messages) == 2


def age_by_a_day():
    execute("update ops.deliveries set idempotency_key = 'before-' || idempotency_key")
    execute(
        "update ops.report_runs set period = 'before ' || period,"
        " period_start = period_start - interval '1 day', period_end = period_end - interval '1 day'"
    )


AFTER = {"dbt": "run", "views": ["analytics.v"]}

TIMED_OUT = {**AFTER, "latest": "00:00"}

WAITING = {**AFTER, "latest": "23:59"}


class TestAfter:
    """Reports that wait for their data."""

    def record_data(self):
        execute(
            "insert into ops.dbt_runs (command, started_at, status) values ('dbt run', now(), 'success')"
        )
        execute(
            "insert into ops.refresh_log (schema_name, view_name, view_oid, status, reason) values ('analytics', 'v', 1, 'success', 'x')"
        )

    def test_waits_until_the_latest_time(self, smtp_sink):
        store_reports(report(after=WAITING))
        result = generate_scheduled_reports()
        assert result["summary"]["waiting"] == 1
        assert "no dbt run and no refresh of analytics.v" in result["waiting"]["sales"]
        assert smtp_sink.messages == runs() == []
        self.record_data()
        assert generate_scheduled_reports()["summary"]["made"] == 1
        assert "may be old" not in body(smtp_sink.messages[0])

    def test_missing_data_is_a_warning_in_the_email(self, smtp_sink):
        store_reports(report(after=TIMED_OUT))
        assert generate_scheduled_reports()["summary"]["made"] == 1
        warning = "The data may be old: there was no dbt run and no refresh of analytics.v"
        assert warning in body(smtp_sink.messages[0])
        assert warning in body(smtp_sink.messages[0], "html")

    def test_missing_data_notifies_only_the_owner_with_otherwise_tell(self, smtp_sink):
        store_reports(report(after={**TIMED_OUT, "otherwise": "tell"}))
        assert generate_scheduled_reports(return_state=True).is_failed()
        assert generate_scheduled_reports(return_state=True).is_completed()
        assert [each.recipients for each in smtp_sink.messages] == [[OWNER]]
        assert runs() == [("sales", "", "failed")]
