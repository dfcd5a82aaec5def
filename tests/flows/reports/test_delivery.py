"""Each recipient gets one email; failed deliveries are retried one by one, and the owner is notified."""

import pytest

from analytics_worker.delivery import DeliveryCounts, deliver_due
from analytics_worker.settings import settings
from flows.reports.runs.manual import ResendError, resend, run_now
from tests.flows.reports.reports import (
    OWNER,
    attachment,
    body,
    deliveries,
    make_retries_due,
    report,
)
from tests.support.sql import execute, query

pytestmark = pytest.mark.usefixtures("report_folder")

THREE = ["a@example.com", "b@example.com", "c@example.com"]
RUN_ID = "select id from ops.report_runs"


def counts(**changes):
    return dict.fromkeys(DeliveryCounts.__annotations__, 0) | changes


def deliver():
    return dict(deliver_due("reports"))


def recipients(sink) -> list[str]:
    return [recipient for each in sink.messages for recipient in each.recipients]


def test_temporarily_refused_recipient_is_retried_alone(smtp_sink):
    smtp_sink.refuse(THREE[1], 451, times=1)
    run_now(report(recipients=THREE), None)
    assert deliver() == counts(sent=2, retrying=1)
    assert deliver() == counts()  # the retry is not due yet
    make_retries_due()
    assert deliver() == counts(sent=1)
    assert sorted(recipients(smtp_sink)) == THREE
    assert len(set(smtp_sink.ids())) == 3


def test_owner_is_notified_of_permanently_refused_recipient_and_can_resend_the_stored_file(
    smtp_sink,
):
    smtp_sink.refuse(THREE[0], 550)
    run_now(report(recipients=THREE[:2]), None)
    assert deliver() == counts(sent=2, failed=1)  # one of them to the owner
    notice = smtp_sink.messages[-1]
    (run_id,) = query(RUN_ID)
    assert notice.recipients == [OWNER]
    assert "a@example.com: 550 refused for the test" in body(notice)
    assert f"analytics-worker reports resend {run_id} --failed" in body(notice)

    smtp_sink.refuse(THREE[0], 550, times=0)
    execute("drop table if exists analytics.gone")
    assert resend(run_id, failed=True)["sent"] == 1
    assert smtp_sink.messages[-1].recipients == [THREE[0]]
    assert attachment(smtp_sink.messages[-1]) == b"n\n1\n"
    assert recipients(smtp_sink).count(THREE[1]) == 1


def test_resending_to_all_recipients_uses_new_message_ids(smtp_sink):
    run_now(report(recipients=THREE), None)
    deliver_due("reports")
    (run_id,) = query(RUN_ID)
    assert resend(run_id, failed=False)["sent"] == 3
    assert len(set(smtp_sink.ids())) == 6


def test_resend_without_files_or_failures_is_refused():
    run_now(report(recipients=[]), None)
    (run_id,) = query(RUN_ID)
    with pytest.raises(ResendError, match="none of its deliveries failed"):
        resend(run_id, failed=True)
    with pytest.raises(ResendError, match=r"There is no run 4711.*\n.*sales"):
        resend(4711, failed=False)


def test_deliveries_wait_for_an_unavailable_server(smtp_sink):
    smtp_sink.stop()
    run_now(report(recipients=THREE[:2]), None)
    assert deliver() == counts(retrying=2)
    assert {status for _, status in deliveries()} == {"pending"}
    smtp_sink.start()
    make_retries_due()
    assert deliver() == counts(sent=2)
    assert sorted(recipients(smtp_sink)) == THREE[:2]


def test_open_circuit_stops_further_attempts(smtp_sink):
    smtp_sink.stop()
    run_now(report(recipients=[f"r{number}@example.com" for number in range(9)]), None)
    result = deliver()
    assert (result["retrying"], result["circuit_open"]) == (3, 6)
    assert query("select distinct attempts from ops.deliveries") == [0]


def test_owner_is_notified_of_expired_deliveries(smtp_sink):
    smtp_sink.stop()
    run_now(report(), None)
    deliver_due("reports")
    execute("update ops.deliveries set queued_at = now() - interval '25 hours'")
    assert deliver_due("reports")["failed"] == 1
    smtp_sink.start()
    make_retries_due()
    deliver_due("reports")
    assert recipients(smtp_sink) == [OWNER]


def test_dropped_connection_resends_with_the_same_message_id(smtp_sink):
    smtp_sink.drop_next_data = True
    run_now(report(recipients=THREE), None)
    deliver_due("reports")
    make_retries_due()
    deliver_due("reports")
    assert sorted(recipients(smtp_sink)) == THREE
    assert len(set(smtp_sink.ids())) == 3


@pytest.mark.usefixtures("prefect_api")  # which has no block of that name
def test_deliveries_wait_without_a_mail_server(monkeypatch):
    monkeypatch.delenv("ALERT_EMAIL_HOST")
    settings.cache_clear()
    run_now(report(), None)
    assert deliver() == counts(not_configured=1)
    (error,) = query("select last_error from ops.deliveries")
    assert "ALERT_EMAIL_HOST" in error


class TestTooLarge:
    """The size limit counts the encoded email: base64 adds a third."""

    SQL = "select n, md5(n::text) as value from generate_series(1, 2100) as n"  # 79 kB

    def test_email_that_only_fits_before_base64_has_links(
        self, smtp_sink, monkeypatch, report_folder
    ):
        monkeypatch.setenv("REPORT_MAIL_MAX_MB", "0.1")
        monkeypatch.setenv("REPORT_LINK_BASE", "https://files.example.com/reports/")
        settings.cache_clear()
        run_now(report(sql=self.SQL), None)
        deliver_due("reports")
        (file,) = report_folder.iterdir()
        (received,) = smtp_sink.messages
        assert 75_000 < file.stat().st_size < 100_000
        assert len(received.content) < 60_000
        assert list(received.mail.iter_attachments()) == []
        link = f"https://files.example.com/reports/{file.name}"
        for kind in ("plain", "html"):
            assert link in body(received, kind)
            assert "The files are too large for an email (over 0.1 MB)" in body(received, kind)

    def test_email_below_the_limit_has_its_file(self, smtp_sink, monkeypatch):
        monkeypatch.setenv("REPORT_MAIL_MAX_MB", "0.2")
        settings.cache_clear()
        run_now(report(sql=self.SQL), None)
        deliver_due("reports")
        assert len(attachment(smtp_sink.messages[0])) > 75_000


def test_owner_is_notified_of_a_deleted_file(smtp_sink, report_folder):
    run_now(report(), None)
    for file in report_folder.iterdir():
        file.unlink()
    deliver_due("reports")
    assert recipients(smtp_sink) == [OWNER]
    assert "an attachment can't be read" in body(smtp_sink.messages[0])
