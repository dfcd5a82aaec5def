"""The reports of a schedule: each once per period, each by itself, and none is lost."""

from datetime import UTC, datetime, timedelta

import pytest

from analytics_worker.prefect_support.results import RunFailed
from flows.reports import generate_scheduled_reports
from flows.reports.scheduling.planner import plan_runs
from tests.flows.reports.reports import (
    ANN,
    OWNER,
    attachment,
    body,
    mails,
    report,
    runs,
    store,
)
from tests.support.sql import execute, query

pytestmark = pytest.mark.usefixtures("prefect_api", "post")


def subjects(smtp_sink) -> list[str]:
    return [str(each.mail["Subject"]) for each in smtp_sink.messages]


def test_it_is_made_and_sent_once_whatever_the_number_of_runs(smtp_sink):
    store(report(format=["csv", "xlsx"], title="Sales"))
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    result = generate_scheduled_reports("daily")
    assert result["message"] == "1 report generated; 1 message sent"
    assert result["summary"] == {"made": 1, "skipped": 0, "waiting": 0, "failed": 0}
    again = generate_scheduled_reports("daily")
    assert again["delivery"]["sent"] == 0
    (received,) = smtp_sink.messages
    names = [each.get_filename() for each in received.mail.iter_attachments()]
    assert names == [f"sales-{yesterday}.csv", f"sales-{yesterday}.xlsx"]
    assert attachment(received) == b"n\n1\n"
    assert f"Sales – {yesterday:%A}, {yesterday.day}" in subjects(smtp_sink)[0]


def test_other_schedules_are_left_alone(smtp_sink):
    store(
        report("w", schedule="weekly"),
        report("m", schedule="monthly"),
        report("off", enabled=False),
    )
    assert generate_scheduled_reports()["summary"]["made"] == 0
    assert generate_scheduled_reports("weekly")["summary"]["made"] == 1
    assert generate_scheduled_reports("monthly")["summary"]["made"] == 1
    assert len(smtp_sink.messages) == 2


def test_an_unknown_schedule_is_refused_with_those_that_there_are():
    with pytest.raises(RunFailed, match="'dayly' is not valid; expected daily, weekly, monthly"):
        generate_scheduled_reports("dayly")


def test_a_broken_report_harms_no_other_and_its_owner_hears(smtp_sink):
    store(report("broken", "select nope from nowhere"), report("fine"))
    state = generate_scheduled_reports(return_state=True)
    assert (state.name, state.type.value) == ("Partial", "FAILED")
    assert "broken: failed: " in state.message
    assert '"nowhere" does not exist' in state.message
    told = {each.recipients[0]: each for each in smtp_sink.messages}
    assert set(told) == {ANN, OWNER}
    assert str(told[OWNER].mail["Subject"]).startswith("Report failed: broken")
    assert 'relation "nowhere" does not exist' in told[OWNER].mail.get_content()


def test_a_report_that_was_put_right_is_made_by_the_next_run_for_its_own_period(smtp_sink):
    store(report("r", "select nope"))
    with pytest.raises(RunFailed):
        generate_scheduled_reports()
    store(report("r", "select 2 as n"))
    generate_scheduled_reports()
    assert runs() == [("r", "", "ready")]
    assert smtp_sink.messages[-1].recipients == [ANN]


def test_a_period_that_was_missed_is_caught_up_once_for_itself(smtp_sink):
    store(report(sql="select cast(:period_start as date) as day", catch_up=3))
    now = datetime.now(UTC)
    execute(
        "update ops.report_definitions set done_until = date_trunc('day', now(), 'UTC') - interval '2 days'"
    )
    generate_scheduled_reports()
    generate_scheduled_reports()
    days = [attachment(each).decode().split()[1] for each in smtp_sink.messages]
    assert days == [f"{now - timedelta(days=2):%Y-%m-%d}", f"{now - timedelta(days=1):%Y-%m-%d}"]


def test_a_new_report_does_not_make_up_for_days_before_it_was_there():
    store(report(catch_up=3))
    assert generate_scheduled_reports()["summary"]["made"] == 1


def test_what_a_killed_run_left_is_made_by_the_next_one(smtp_sink):
    store(report())
    plan_runs("daily", datetime.now(UTC))
    execute(
        "update ops.report_runs set status = 'running', lease_owner = 'gone/1/x', lease_until = now() + interval '1 h'"
    )
    assert generate_scheduled_reports()["summary"]["made"] == 1
    assert len(smtp_sink.messages) == 1


def test_one_report_per_row_goes_to_the_row_s_own_recipient(smtp_sink):
    each = {
        "sql": "select * from (values ('north', 'n@example.com', 7), ('south', 's@example.com, t@example.com', 8)) as t (region, mail, value)",
        "key": "region",
        "to": "mail",
    }
    store(report(sql="select :region as region, :value as value", for_each=each, recipients=[]))
    result = generate_scheduled_reports()
    assert result["summary"] == {"made": 2, "skipped": 1, "waiting": 0, "failed": 0}
    got = {each.recipients[0]: attachment(each) for each in smtp_sink.messages}
    assert got == {
        "n@example.com": b"region,value\nnorth,7\n",
        "s@example.com": b"region,value\nsouth,8\n",
        "t@example.com": b"region,value\nsouth,8\n",
    }
    assert generate_scheduled_reports()["delivery"]["sent"] == 0


def test_a_row_with_a_bad_address_fails_alone(smtp_sink):
    each = {
        "sql": "select 'a' as k, 'nobody' as mail union all select 'b', 'b@example.com'",
        "key": "k",
        "to": "mail",
    }
    store(report(sql="select 1 as n", for_each=each, recipients=[]))
    state = generate_scheduled_reports(return_state=True)
    assert state.name == "Partial"
    assert "'nobody' is not a valid email address" in state.message
    assert {r for each in smtp_sink.messages for r in each.recipients} == {"b@example.com", OWNER}


@pytest.mark.parametrize(
    ("condition", "sql", "status"),
    [
        ("rows", "select 1 as n where false", "skipped"),
        ("rows", "select 1 as n", "ready"),
        ("no_rows", "select 1 as n where false", "ready"),
        ("no_rows", "select 1 as n", "skipped"),
    ],
)
def test_only_if(condition, sql, status, smtp_sink, post):
    store(report(sql=sql, only_if=condition))
    generate_scheduled_reports()
    assert runs() == [("sales", "", status)]
    assert len(smtp_sink.messages) == len(list(post.iterdir())) == (status == "ready")


def test_only_if_changed(smtp_sink):
    execute("create table analytics.t (n integer)")
    execute("grant select on analytics.t to analytics_reader")
    execute("insert into analytics.t values (1), (2)")
    store(report(sql="select n from analytics.t order by random()", only_if="changed"))
    for change in ("select 1", "select 1", "insert into analytics.t values (3)"):
        execute(change)
        generate_scheduled_reports()
        a_day_goes_by()
    assert [status for _, _, status in runs()] == ["ready", "skipped", "ready"]
    assert len(smtp_sink.messages) == 2


def a_day_goes_by():
    execute("update ops.deliveries set idempotency_key = 'before-' || idempotency_key")
    execute(
        "update ops.report_runs set period = 'before ' || period,"
        " period_start = period_start - interval '1 day', period_end = period_end - interval '1 day'"
    )


AWAITED = {"dbt": "run", "views": ["analytics.v"]}
LATE = {**AWAITED, "latest": "00:00"}
EARLY = {**AWAITED, "latest": "23:59"}


class TestData:
    """A report that waits for its data."""

    def arrive(self):
        execute(
            "insert into ops.dbt_runs (command, started_at, status) values ('dbt run', now(), 'success')"
        )
        execute(
            "insert into ops.refresh_log (schema_name, view_name, view_oid, status, reason) values ('analytics', 'v', 1, 'success', 'x')"
        )

    def test_is_awaited_until_the_latest_time(self, smtp_sink):
        store(report(after=EARLY))
        result = generate_scheduled_reports()
        assert result["summary"]["waiting"] == 1
        assert "no dbt run and no refresh of analytics.v" in result["waiting"]["sales"]
        assert smtp_sink.messages == runs() == []
        self.arrive()
        assert generate_scheduled_reports()["summary"]["made"] == 1
        assert "may be old" not in body(smtp_sink.messages[0])

    def test_that_is_late_is_said_in_the_mail(self, smtp_sink):
        store(report(after=LATE))
        assert generate_scheduled_reports()["summary"]["made"] == 1
        warning = "The data may be old: there was no dbt run and no refresh of analytics.v"
        assert warning in body(smtp_sink.messages[0])
        assert warning in body(smtp_sink.messages[0], "html")

    def test_that_is_late_is_told_to_the_owner_if_the_readers_want_no_other(self, smtp_sink):
        store(report(after={**LATE, "otherwise": "tell"}))
        assert generate_scheduled_reports(return_state=True).is_failed()
        assert generate_scheduled_reports(return_state=True).is_completed()
        assert [each.recipients for each in smtp_sink.messages] == [[OWNER]]
        assert runs() == [("sales", "", "failed")]


def test_a_definition_that_this_version_can_not_read_costs_one_report(smtp_sink):
    store(report("old"), report("new"))
    execute(
        "update ops.report_definitions set definition = definition || '{\"color\": 1}' where name = 'old'"
    )
    state = generate_scheduled_reports(return_state=True)
    assert state.name == "Partial"
    assert "run `reports sync`" in state.message
    assert len(smtp_sink.messages) == 1


def test_zero_recipients_keep_the_file_and_say_so(smtp_sink, post):
    store(report(recipients=[]))
    result = generate_scheduled_reports()
    assert result["reports"][0]["notes"] == ["This report is not sent: it has no recipients."]
    assert (smtp_sink.messages, len(list(post.iterdir()))) == ([], 1)


def test_copies_go_out_once_and_blind_ones_are_named_to_nobody(smtp_sink):
    people = {"to": [ANN], "cc": ["Ann@example.com", "cc@example.com"], "bcc": ["bcc@example.com"]}
    store(report(recipients=people))
    generate_scheduled_reports()
    assert sorted(r for each in smtp_sink.messages for r in each.recipients) == [
        ANN,
        "bcc@example.com",
        "cc@example.com",
    ]
    for each in smtp_sink.messages:
        assert (str(each.mail["To"]), str(each.mail["Cc"])) == (ANN, "cc@example.com")
        assert b"bcc@" not in each.content
    assert {status for _, status in mails()} == {"sent"}
    assert query("select count(distinct idempotency_key) from ops.deliveries") == [3]
