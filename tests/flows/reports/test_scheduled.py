"""Scheduled reports: each is generated once per period, independently of the others."""

from datetime import UTC, datetime, timedelta

import pytest

from analytics_worker.prefect_support.results import RunFailed
from flows.reports import generate_scheduled_reports
from flows.reports.scheduling.planner import plan_runs
from tests.flows.reports.reports import (
    ANN,
    OWNER,
    attachment,
    deliveries,
    report,
    runs,
    store_reports,
)
from tests.support.sql import execute, query

pytestmark = pytest.mark.usefixtures("prefect_api", "report_folder")


def subjects(smtp_sink) -> list[str]:
    return [str(each.mail["Subject"]) for each in smtp_sink.messages]


def test_report_is_generated_and_sent_once_over_several_runs(smtp_sink):
    store_reports(report(format=["csv", "xlsx"], title="Sales"))
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    result = generate_scheduled_reports("daily")
    assert result["message"] == "1 report generated; 1 message sent"
    assert result["summary"] == {"made": 1, "skipped": 0, "waiting": 0, "held": 0, "failed": 0}
    again = generate_scheduled_reports("daily")
    assert again["delivery"]["sent"] == 0
    (received,) = smtp_sink.messages
    names = [each.get_filename() for each in received.mail.iter_attachments()]
    assert names == [f"sales-{yesterday}.csv", f"sales-{yesterday}.xlsx"]
    assert attachment(received) == b"n\n1\n"
    assert f"Sales – {yesterday:%A}, {yesterday.day}" in subjects(smtp_sink)[0]


def test_only_the_given_schedule_is_generated(smtp_sink):
    store_reports(
        report("w", schedule="weekly"),
        report("m", schedule="monthly"),
        report("off", enabled=False),
    )
    assert generate_scheduled_reports()["summary"]["made"] == 0
    assert generate_scheduled_reports("weekly")["summary"]["made"] == 1
    assert generate_scheduled_reports("monthly")["summary"]["made"] == 1
    assert len(smtp_sink.messages) == 2


def test_unknown_schedule_is_refused_with_the_known_ones():
    with pytest.raises(RunFailed, match="'dayly' is not valid; expected daily, weekly, monthly"):
        generate_scheduled_reports("dayly")


def test_failed_report_does_not_affect_others_and_its_owner_is_notified(smtp_sink):
    store_reports(report("broken", "select nope from nowhere"), report("fine"))
    state = generate_scheduled_reports(return_state=True)
    assert (state.name, state.type.value) == ("Partial", "FAILED")
    assert "broken: failed: " in state.message
    assert '"nowhere" does not exist' in state.message
    by_recipient = {each.recipients[0]: each for each in smtp_sink.messages}
    assert set(by_recipient) == {ANN, OWNER}
    assert str(by_recipient[OWNER].mail["Subject"]).startswith("Report failed: broken")
    assert 'relation "nowhere" does not exist' in by_recipient[OWNER].mail.get_content()


def test_corrected_report_is_generated_by_the_next_run(smtp_sink):
    store_reports(report("r", "select nope"))
    with pytest.raises(RunFailed):
        generate_scheduled_reports()
    store_reports(report("r", "select 2 as n"))
    generate_scheduled_reports()
    assert runs() == [("r", "", "ready")]
    assert smtp_sink.messages[-1].recipients == [ANN]


def test_missed_period_is_caught_up_once(smtp_sink):
    store_reports(report(sql="select cast(:period_start as date) as day", catch_up=3))
    now = datetime.now(UTC)
    execute(
        "update ops.report_definitions set done_until = date_trunc('day', now(), 'UTC') - interval '2 days'"
    )
    generate_scheduled_reports()
    generate_scheduled_reports()
    days = [attachment(each).decode().split()[1] for each in smtp_sink.messages]
    assert sorted(days) == [
        f"{now - timedelta(days=2):%Y-%m-%d}",
        f"{now - timedelta(days=1):%Y-%m-%d}",
    ]


def test_new_report_does_not_catch_up_periods_before_it_was_stored():
    store_reports(report(catch_up=3))
    assert generate_scheduled_reports()["summary"]["made"] == 1


def test_run_of_a_killed_worker_is_generated_by_the_next_one(smtp_sink):
    store_reports(report())
    plan_runs("daily", datetime.now(UTC))
    execute(
        "update ops.report_runs set status = 'running', lease_owner = 'gone/1/x', lease_until = now() + interval '1 h'"
    )
    assert generate_scheduled_reports()["summary"]["made"] == 1
    assert len(smtp_sink.messages) == 1


def test_for_each_sends_a_report_to_each_rows_recipient(smtp_sink):
    each = {
        "sql": "select * from (values ('north', 'n@example.com', 7), ('south', 's@example.com, t@example.com', 8)) as t (region, mail, value)",
        "key": "region",
        "to": "mail",
    }
    store_reports(
        report(sql="select :region as region, :value as value", for_each=each, recipients=[])
    )
    result = generate_scheduled_reports()
    assert result["summary"] == {"made": 2, "skipped": 1, "waiting": 0, "held": 0, "failed": 0}
    received = {each.recipients[0]: attachment(each) for each in smtp_sink.messages}
    assert received == {
        "n@example.com": b"region,value\nnorth,7\n",
        "s@example.com": b"region,value\nsouth,8\n",
        "t@example.com": b"region,value\nsouth,8\n",
    }
    assert generate_scheduled_reports()["delivery"]["sent"] == 0


def test_row_with_an_invalid_address_fails_alone(smtp_sink):
    each = {
        "sql": "select 'a' as k, 'nobody' as mail union all select 'b', 'b@example.com'",
        "key": "k",
        "to": "mail",
    }
    store_reports(report(sql="select 1 as n", for_each=each, recipients=[]))
    state = generate_scheduled_reports(return_state=True)
    assert state.name == "Partial"
    assert "'nobody' is not a valid email address" in state.message
    assert {r for each in smtp_sink.messages for r in each.recipients} == {"b@example.com", OWNER}


def test_outdated_stored_definition_fails_only_its_report(smtp_sink):
    store_reports(report("old"), report("new"))
    execute(
        "update ops.report_definitions set definition = definition || '{\"color\": 1}' where name = 'old'"
    )
    state = generate_scheduled_reports(return_state=True)
    assert state.name == "Partial"
    assert "run `reports sync`" in state.message
    assert len(smtp_sink.messages) == 1


def test_report_without_recipients_is_stored_and_noted(smtp_sink, report_folder):
    store_reports(report(recipients=[]))
    result = generate_scheduled_reports()
    assert result["reports"][0]["notes"] == ["This report is not sent: it has no recipients."]
    assert (smtp_sink.messages, len(list(report_folder.iterdir()))) == ([], 1)


def test_cc_is_sent_once_and_bcc_is_in_no_header(smtp_sink):
    recipients = {
        "to": [ANN],
        "cc": ["Ann@example.com", "cc@example.com"],
        "bcc": ["bcc@example.com"],
    }
    store_reports(report(recipients=recipients))
    generate_scheduled_reports()
    assert sorted(r for each in smtp_sink.messages for r in each.recipients) == [
        ANN,
        "bcc@example.com",
        "cc@example.com",
    ]
    for each in smtp_sink.messages:
        assert (str(each.mail["To"]), str(each.mail["Cc"])) == (ANN, "cc@example.com")
        assert b"bcc@" not in each.content
    assert {status for _, status in deliveries()} == {"sent"}
    assert query("select count(distinct idempotency_key) from ops.deliveries") == [3]
