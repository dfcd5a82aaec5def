"""What a run reports about its deliveries: its own by status, apart from others."""

from datetime import timedelta

import pytest
from prefect import get_client

from analytics_worker.delivery import deliver_due
from analytics_worker.settings import settings
from flows.reports import generate_ad_hoc_report, generate_scheduled_reports, generate_single_report
from flows.reports.runs.manual import ResendError, resend, run_now
from flows.reports.scheduling import rescheduling
from tests.flows.reports.reports import (
    ANN,
    OWNER,
    deliveries,
    make_retries_due,
    report,
    store_reports,
)
from tests.support.sql import execute, query

pytestmark = pytest.mark.usefixtures("prefect_api", "report_folder")

CONFIG = {"name": "Question", "query": "select 1 as n", "recipients": [ANN]}


def without_mail_server(monkeypatch):
    monkeypatch.delenv("ALERT_EMAIL_HOST")
    settings.cache_clear()


def test_only_own_messages_are_counted(smtp_sink):
    run_now(report("earlier", recipients=["a@example.com", "b@example.com"]), None)
    result = generate_ad_hoc_report(CONFIG)
    assert result["message"] == "Question: 1 row; 1 message sent; also sent 2 other messages"
    assert (result["delivery"]["sent"], result["delivery"]["others"]) == (1, 2)
    assert len(smtp_sink.messages) == 3


def test_failed_delivery_of_another_run_does_not_fail_this_one(smtp_sink):
    smtp_sink.refuse("gone@example.com", 550)
    run_now(report("earlier", recipients=["gone@example.com"]), None)
    state = generate_ad_hoc_report(CONFIG, return_state=True)
    assert state.is_completed()
    assert {each.recipients[0] for each in smtp_sink.messages} == {ANN, OWNER}


def test_failed_own_delivery_is_partial(smtp_sink):
    smtp_sink.refuse(ANN, 550)
    store_reports(report())
    state = generate_scheduled_reports(return_state=True)
    assert state.name == "Partial"
    assert "0 messages sent, 1 failed (550 refused for the test)" in str(state.message)


def test_failure_without_owner_or_channel_to_notify_is_partial(smtp_sink):
    smtp_sink.refuse(ANN, 550)
    smtp_sink.refuse(OWNER, 550)
    run_now(report("earlier"), None)
    state = generate_ad_hoc_report(CONFIG | {"recipients": []}, return_state=True)
    assert state.name == "Partial"
    assert "1 message failed without an owner or channel left to notify" in str(state.message)


def test_waiting_deliveries_are_reported_with_reasons(smtp_sink):
    smtp_sink.refuse(ANN, 451, times=1)
    recipients = {"to": [ANN, "bob@example.com"], "channels": ["team"]}
    result = generate_ad_hoc_report(CONFIG | {"recipients": recipients})
    assert result["status"] == "success"
    text = "1 message sent, 1 will be retried, 1 waiting for configuration (451 refused for the test; Channel 'team' is not configured"
    assert text in result["message"]


def test_waiting_deliveries_start_no_further_run(monkeypatch):
    """Each report that was requested while an email waited scheduled another flow run, repeatedly."""
    scheduled = []
    monkeypatch.setattr(rescheduling, "_create_flow_run", lambda *when: scheduled.append(when))
    without_mail_server(monkeypatch)
    generate_ad_hoc_report(CONFIG)
    generate_ad_hoc_report(CONFIG | {"recipients": []})
    generate_single_report(CONFIG | {"id": 1})
    store_reports(report())
    generate_scheduled_reports()
    assert scheduled == []
    with get_client(sync_client=True) as client:
        names = [run.state_name for run in client.read_flow_runs()]
    assert "Scheduled" not in names
    store_reports(report(after={"dbt": "run", "latest": "23:59"}, name="late"))
    generate_scheduled_reports()
    assert len(scheduled) == 1, "missing data is checked again"


def test_finished_report_is_reported_as_already_generated():
    data = CONFIG | {"id": 7, "schedule_type": "monthly"}
    generate_single_report(data)
    again = generate_single_report(data)
    assert again["message"] == "it was already generated; 0 messages sent"


def test_scheduled_sender_of_any_domain_sends_waiting_deliveries(smtp_sink, monkeypatch):
    host = settings().alert_email_host
    without_mail_server(monkeypatch)
    generate_ad_hoc_report(CONFIG)
    monkeypatch.setenv("ALERT_EMAIL_HOST", str(host))
    settings.cache_clear()
    make_retries_due()
    assert deliver_due(None, budget=timedelta(seconds=30))["sent"] == 1
    (received,) = smtp_sink.messages
    assert list(received.mail.iter_attachments())


def test_resend_counts_only_resent_deliveries(smtp_sink):
    smtp_sink.refuse(ANN, 550, times=1)
    run_now(report(recipients=[ANN, "bob@example.com"]), None)
    deliver_due("reports")
    (run_id,) = query("select id from ops.report_runs")
    assert resend(run_id, failed=True)["sent"] == 1
    assert resend(run_id, failed=False)["sent"] == 2


def test_resend_of_pending_deliveries_is_refused(monkeypatch):
    without_mail_server(monkeypatch)
    run_now(report(), None)
    (run_id,) = query("select id from ops.report_runs")
    with pytest.raises(ResendError, match="still waiting to be sent"):
        resend(run_id, failed=False)


def test_failure_message_is_not_resent_with_the_report(smtp_sink):
    run_now(report(sql="select nope"), "2026-11-24")
    run_now(report(), "2026-11-24")
    deliver_due("reports")
    (run_id,) = query("select id from ops.report_runs")
    assert resend(run_id, failed=False)["sent"] == 1
    assert [each.recipients for each in smtp_sink.messages].count([OWNER]) == 1


def test_messages_are_deleted_with_their_run():
    run_now(report(), None)
    execute("delete from ops.report_runs")
    assert query("select count(*) from ops.messages") == [0]
    assert deliveries() == []
    run_now(report(), None)
    assert deliveries() == [(ANN, "pending")]


def test_view_for_the_previous_version_hides_what_it_can_not_send():
    run_now(report(recipients={"to": [ANN], "channels": ["slack"]}), None)
    rows = query("select recipient, status from ops.report_deliveries order by recipient")
    assert rows == [(ANN, "waiting"), ("slack", "waiting")]
    execute("update ops.report_runs set mail = '{}'")
    rows = query("select recipient, status from ops.report_deliveries order by recipient")
    assert rows == [(ANN, "pending"), ("slack", "waiting")]
    claim = "select id from ops.report_deliveries where status = 'pending' for update skip locked"
    assert len(query(claim)) == 1
