"""Each recipient gets one mail; who can't be reached is tried again alone, and the owner hears of it."""

import pytest

from analytics_worker.delivery import DeliveryCounts, deliver_due
from analytics_worker.settings import settings
from flows.reports.runs.manual import ResendError, resend, run_now
from tests.flows.reports.reports import OWNER, attachment, body, let_time_pass, mails, report
from tests.support.sql import execute, query

pytestmark = pytest.mark.usefixtures("post")

THREE = ["a@example.com", "b@example.com", "c@example.com"]
SECRET_RUN = "select id from ops.report_runs"


def counts(**changes):
    return dict.fromkeys(DeliveryCounts.__annotations__, 0) | changes


def delivered():
    return dict(deliver_due("reports"))


def recipients(sink) -> list[str]:
    return [recipient for each in sink.messages for recipient in each.recipients]


def test_a_recipient_refused_for_now_is_tried_again_alone(smtp_sink):
    smtp_sink.refuse(THREE[1], 451, times=1)
    run_now(report(recipients=THREE), None)
    assert delivered() == counts(sent=2, retrying=1)
    assert delivered() == counts()  # not before its time
    let_time_pass()
    assert delivered() == counts(sent=1)
    assert sorted(recipients(smtp_sink)) == THREE
    assert len(set(smtp_sink.ids())) == 3


def test_a_recipient_refused_for_good_is_told_to_the_owner_and_can_be_sent_the_stored_file(
    smtp_sink,
):
    smtp_sink.refuse(THREE[0], 550)
    run_now(report(recipients=THREE[:2]), None)
    assert delivered() == counts(sent=2, failed=1)  # one of them to the owner
    notice = smtp_sink.messages[-1]
    (run_id,) = query(SECRET_RUN)
    assert notice.recipients == [OWNER]
    assert "a@example.com: 550 refused for the test" in body(notice)
    assert f"analytics-worker reports resend {run_id} --failed" in body(notice)

    smtp_sink.refuse(THREE[0], 550, times=0)
    execute("drop table if exists analytics.gone")
    assert resend(run_id, failed=True)["sent"] == 1
    assert smtp_sink.messages[-1].recipients == [THREE[0]]
    assert attachment(smtp_sink.messages[-1]) == b"n\n1\n"
    assert recipients(smtp_sink).count(THREE[1]) == 1


def test_sending_again_to_everybody_has_new_ids_because_receivers_drop_known_ones(smtp_sink):
    run_now(report(recipients=THREE), None)
    deliver_due("reports")
    (run_id,) = query(SECRET_RUN)
    assert resend(run_id, failed=False)["sent"] == 3
    assert len(set(smtp_sink.ids())) == 6


def test_there_is_nothing_to_send_again():
    run_now(report(recipients=[]), None)
    (run_id,) = query(SECRET_RUN)
    with pytest.raises(ResendError, match="none of its deliveries failed"):
        resend(run_id, failed=True)
    with pytest.raises(ResendError, match=r"There is no run 4711.*\n.*sales"):
        resend(4711, failed=False)


def test_mails_wait_for_a_server_that_is_down(smtp_sink):
    smtp_sink.stop()
    run_now(report(recipients=THREE[:2]), None)
    assert delivered() == counts(retrying=2)
    assert {status for _, status in mails()} == {"pending"}
    smtp_sink.start()
    let_time_pass()
    assert delivered() == counts(sent=2)
    assert sorted(recipients(smtp_sink)) == THREE[:2]


def test_a_server_that_is_known_to_be_down_is_left_alone(smtp_sink):
    smtp_sink.stop()
    run_now(report(recipients=[f"r{number}@example.com" for number in range(9)]), None)
    found = delivered()
    assert (found["retrying"], found["circuit_open"]) == (3, 6)
    assert query("select distinct attempts from ops.deliveries") == [0]


def test_a_server_that_is_down_too_long_is_told_to_the_owner(smtp_sink):
    smtp_sink.stop()
    run_now(report(), None)
    deliver_due("reports")
    execute("update ops.deliveries set queued_at = now() - interval '25 hours'")
    assert deliver_due("reports")["failed"] == 1
    smtp_sink.start()
    let_time_pass()
    deliver_due("reports")
    assert recipients(smtp_sink) == [OWNER]


def test_a_dropped_connection_repeats_the_mail_with_its_id(smtp_sink):
    smtp_sink.drop_next_data = True
    run_now(report(recipients=THREE), None)
    deliver_due("reports")
    let_time_pass()
    deliver_due("reports")
    assert sorted(recipients(smtp_sink)) == THREE
    assert len(set(smtp_sink.ids())) == 3


@pytest.mark.usefixtures("prefect_api")  # which knows no block of that name
def test_without_a_mail_server_the_mails_wait_and_say_so(monkeypatch):
    monkeypatch.delenv("ALERT_EMAIL_HOST")
    settings.cache_clear()
    run_now(report(), None)
    assert delivered() == counts(not_configured=1)
    (error,) = query("select last_error from ops.deliveries")
    assert "ALERT_EMAIL_HOST" in error


class TestTooLarge:
    """A report over the size limit, which counts what is sent: base64 is a third more."""

    SQL = "select n, md5(n::text) as value from generate_series(1, 2100) as n"  # 79 kB

    def test_a_mail_that_fits_before_base64_only_becomes_a_link(self, smtp_sink, monkeypatch, post):
        monkeypatch.setenv("REPORT_MAIL_MAX_MB", "0.1")
        monkeypatch.setenv("REPORT_LINK_BASE", "https://files.example.com/reports/")
        settings.cache_clear()
        run_now(report(sql=self.SQL), None)
        deliver_due("reports")
        (file,) = post.iterdir()
        (received,) = smtp_sink.messages
        assert 75_000 < file.stat().st_size < 100_000
        assert len(received.content) < 60_000
        assert list(received.mail.iter_attachments()) == []
        link = f"https://files.example.com/reports/{file.name}"
        for kind in ("plain", "html"):
            assert link in body(received, kind)
            assert "The files are too large for an email (over 0.1 MB)" in body(received, kind)

    def test_a_mail_below_the_limit_has_its_file(self, smtp_sink, monkeypatch):
        monkeypatch.setenv("REPORT_MAIL_MAX_MB", "0.2")
        settings.cache_clear()
        run_now(report(sql=self.SQL), None)
        deliver_due("reports")
        assert len(attachment(smtp_sink.messages[0])) > 75_000


def test_a_stored_file_that_is_gone_is_told_to_the_owner(smtp_sink, post):
    run_now(report(), None)
    for file in post.iterdir():
        file.unlink()
    deliver_due("reports")
    assert recipients(smtp_sink) == [OWNER]
    assert "an attachment can't be read" in body(smtp_sink.messages[0])
