"""Streaks of failures are notified once, and recoveries to those who know of them, whoever dies."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest
from prefect.blocks.core import Block
from prefect.settings import PREFECT_API_URL
from prefect.states import Completed, Failed
from pydantic import SecretStr

from analytics_worker.delivery import deliver_due
from analytics_worker.prefect_support.results import RunFailed
from blocks.notifications import WebhookChannel
from flows.monitoring import collect_worker_metrics
from flows.monitoring._delivery_check import check_messages
from tests.flows.monitoring.conftest import DEPLOYMENT
from tests.support.http_sink import HttpSink
from tests.support.smtp_sink import SmtpSink
from tests.support.wait_until import wait_until

pytestmark = pytest.mark.usefixtures("environment")


@pytest.fixture
def told(variables, http_sink: HttpSink, run, sql) -> Callable[[], list[str]]:  # noqa: ARG001  # deploys
    """What the web hook was told since the last look, for our deployment."""
    variables(alert_webhook_url=http_sink.url)
    collect_worker_metrics()  # judges what other tests left
    http_sink.requests.clear()

    def look() -> list[str]:
        collect_worker_metrics()
        events = [posted.json["event"] for posted in http_sink.requests]
        http_sink.requests.clear()
        return events

    return look


def test_a_streak_is_told_once_and_so_is_the_recovery(run, told):
    run(Completed())
    assert told() == []
    run(Failed(message="the disk is full"))
    assert told() == ["deployment_failing"]
    run(Failed(message="the disk is full"))
    assert told() == []
    run(Completed(name="Skipped"))
    assert told() == []
    run(Completed(message="4 pages"))
    assert told() == ["deployment_recovered"]
    assert told() == []


def test_mail_and_web_hook_say_what_failed(
    run, told, variables, http_sink: HttpSink, smtp_sink: SmtpSink, sql
):
    assert told() == []
    variables(
        alert_email_host="127.0.0.1",
        alert_email_port=smtp_sink.port,
        alert_email_tls="none",
        alert_email_from="worker@example.com",
        alert_email_to="ann@example.com,bob@example.com",
    )
    failed = run(Failed(message="the disk is full"))
    collect_worker_metrics()
    (posted,) = http_sink.requests
    assert posted.json["deployment"] == DEPLOYMENT
    assert posted.json["message"] == "the disk is full"
    assert posted.json["run_id"] == str(failed.id)
    subjects = [str(mail.mail["Subject"]) for mail in smtp_sink.messages]
    assert subjects == [f"[failing] {DEPLOYMENT}: Failed"] * 2
    assert sql("select status, count(*) from ops.deliveries group by 1") == [("sent", 3)]
    assert sql("select status, count(*) from ops.deployment_notices group by 1") == [("sent", 3)]


def test_a_notice_waits_for_its_receiver(run, told, http_sink: HttpSink, sql):
    http_sink.stop()
    run(Failed())
    result = collect_worker_metrics()
    assert "messages: 1 will be retried" in result["message"]
    assert result["status"] == "success"
    (reason,) = result["not_sent"]
    assert reason == "webhook: http://127.0.0.1: [Errno 111] Connection refused"
    ((status, error),) = sql("select status, last_error from ops.deliveries")
    assert (status, "127.0.0.1" in error) == ("pending", True)
    http_sink.start()
    sql("update ops.deliveries set next_attempt_at = now()")
    assert told() == ["deployment_failing"]


def test_a_killed_sender_leaves_its_notice_to_the_next_with_the_same_key(
    run, told, http_sink: HttpSink, variables
):
    variables(alert_webhook_url="")
    run(Completed())
    collect_worker_metrics()
    variables(alert_webhook_url=http_sink.url)
    run(Failed())
    code = "from flows.monitoring import collect_worker_metrics; collect_worker_metrics()"
    environment = {**os.environ, "PREFECT_API_URL": str(PREFECT_API_URL.value())}
    with http_sink.pausing_answer(to=1) as held:
        child = subprocess.Popen([sys.executable, "-c", code], env=environment)
        assert held.wait(60)
        child.send_signal(signal.SIGKILL)
        child.wait()
    (first,) = http_sink.requests
    wait_until(lambda: deliver_due("monitoring")["sent"] == 1, timeout=20, interval=0.2)
    assert http_sink.keys() == [first.key, first.key]
    http_sink.requests.clear()
    assert told() == []


def collect() -> dict[str, object]:
    """One minute's run, whatever its state."""
    try:
        return dict(collect_worker_metrics())
    except RunFailed as failed:
        return dict(failed.result or {})


@pytest.fixture
def nobody(run, variables) -> Callable[..., None]:  # noqa: ARG001  # deploys
    """No channel at all; returned: sets variables and forgets nothing."""
    collect()  # judges what other tests left
    return variables


def events(http_sink: HttpSink) -> list[str]:
    return [posted.json["event"] for posted in http_sink.requests]


def test_a_failure_without_a_recipient_shows_and_is_notified_when_there_is_one(
    run, nobody, http_sink: HttpSink
):
    run(Failed(message="the disk is full"))
    result = collect()
    assert result["untold"] == [DEPLOYMENT]
    assert f"nobody was notified that {DEPLOYMENT} failed" in str(result["message"])
    assert result["status"] == "success"
    found = check_messages()
    assert (found.status, DEPLOYMENT in found.message) == ("degraded", True)
    assert "ALERT_WEBHOOK_URL" in found.fix
    failed = run(Failed(message="still full"))
    assert collect()["untold"] == [DEPLOYMENT]
    nobody(alert_webhook_url=http_sink.url)
    assert collect()["untold"] == []
    assert check_messages().status == "healthy"
    (posted,) = http_sink.requests
    assert posted.json["event"] == "deployment_failing"
    assert (posted.json["failures"], posted.json["run_id"]) == (2, str(failed.id))
    collect()
    run(Completed())
    collect()
    assert events(http_sink) == ["deployment_failing", "deployment_recovered"]


def test_what_recovered_before_there_was_a_recipient_is_no_news(run, nobody, http_sink: HttpSink):
    run(Failed())
    collect()
    run(Completed())
    result = collect()
    assert (result["untold"], result["turns"]) == ([], [f"{DEPLOYMENT} recovered"])
    nobody(alert_webhook_url=http_sink.url)
    collect()
    assert http_sink.requests == []
    run(Failed())
    collect()
    run(Completed())
    collect()
    assert events(http_sink) == ["deployment_failing", "deployment_recovered"]


def test_a_streak_within_one_minute_is_notified_with_both_messages_in_order(
    run, told, http_sink: HttpSink
):
    run(Failed())
    run(Completed())
    assert told() == ["deployment_failing", "deployment_recovered"]
    assert http_sink.requests == []


@pytest.fixture
def mails(variables, smtp_sink: SmtpSink) -> Callable[[], list[tuple[str, str]]]:
    """Mail to ann besides the webhook; returned: who got what."""
    server = {"host": "127.0.0.1", "port": smtp_sink.port, "tls": "none"}
    server |= {"from": "worker@example.com", "to": "ann@example.com"}
    variables(**{f"alert_email_{name}": value for name, value in server.items()})

    def read() -> list[tuple[str, str]]:
        pairs = [(each.recipients[0], str(each.mail["Subject"])) for each in smtp_sink.messages]
        return [(to, subject.split("]")[0] + "]") for to, subject in pairs]

    return read


def test_only_who_knows_of_the_failure_is_notified_of_the_recovery(
    run, told, mails, variables, smtp_sink: SmtpSink, sql
):
    smtp_sink.refuse("ann@example.com", 550)
    run(Failed())
    collect()
    smtp_sink.refuse("ann@example.com", 250)
    variables(alert_email_to="ann@example.com,new@example.com")
    run(Completed())
    assert "deployment_recovered" in told()
    assert mails() == []
    cancelled = sql("select recipient from ops.deliveries where status = 'cancelled' order by 1")
    assert cancelled == [("ann@example.com",), ("new@example.com",)]


def test_a_message_that_is_given_up_makes_the_run_partial(
    run, told, mails, smtp_sink: SmtpSink, http_sink: HttpSink
):
    smtp_sink.refuse("ann@example.com", 550)
    run(Failed())
    result = collect()
    assert result["status"] == "partial"
    assert "1 of this run's messages could not be delivered" in str(result["message"])
    assert "email: 550" in str(result["not_sent"])
    assert [posted.json["event"] for posted in http_sink.requests] == [
        "deployment_failing",
        "delivery_failed",
    ]
    assert mails() == []
    result = collect()
    assert (result["status"], result["not_sent"]) == ("success", [])
    del told


def test_a_message_that_nobody_is_left_to_hear_of_makes_the_run_partial(
    run, nobody, mails, smtp_sink: SmtpSink
):
    smtp_sink.refuse("ann@example.com", 550)
    run(Failed())
    result = collect()
    assert result["status"] == "partial"
    assert "1 failed with no recipient left to notify" in str(result["message"])
    del nobody, mails


def test_a_block_is_a_channel_and_its_absence_degrades_the_health(
    run, nobody, http_sink: HttpSink, sql
):
    nobody(monitoring_channels="team-hook", alert_slack_url=http_sink.url)
    run(Failed())
    result = collect()
    assert (result["status"], result["untold"]) == ("success", [])
    assert "1 waiting for configuration" in str(result["message"])
    found = check_messages()
    assert found.status == "degraded"
    assert found.message.startswith("1 message has waited for channel 'team-hook' since ")
    assert "create a channel block of that name" in found.message
    WebhookChannel(url=SecretStr(http_sink.url)).save("team-hook", _sync=True)  # pyright: ignore[reportCallIssue]
    try:
        sql("update ops.deliveries set next_attempt_at = now()")
        collect()
    finally:
        Block.delete("webhook-channel/team-hook", _sync=True)  # pyright: ignore[reportCallIssue]
    assert events(http_sink) == ["deployment_failing"]
    assert check_messages().status == "healthy"


def test_old_messages_go_and_what_waits_stays(run, told, http_sink: HttpSink, sql):
    run(Failed())
    assert told() == ["deployment_failing"]
    http_sink.stop()
    run(Completed())
    collect()
    sql("update ops.messages set created_at = now() - interval '31 days'")
    collect()
    assert sql("select kind from ops.messages") == [("deployment_recovered",)]
    http_sink.start()
