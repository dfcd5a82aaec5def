"""Failing deployments are notified once, recoveries to recipients of the failure, across crashes."""

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
from flows.monitoring.checks.delivery import check_messages
from tests.flows.monitoring.conftest import DEPLOYMENT
from tests.support.http_sink import HttpSink
from tests.support.smtp_sink import SmtpSink
from tests.support.wait_until import wait_until

pytestmark = pytest.mark.usefixtures("environment")


@pytest.fixture
def notified_events(variables, http_sink: HttpSink, run, sql) -> Callable[[], list[str]]:  # noqa: ARG001  # deploys
    """Run the flow and return the events that it sent to the webhook."""
    variables(alert_webhook_url=http_sink.url)
    collect_worker_metrics()  # processes runs of other tests
    http_sink.requests.clear()

    def collect_events() -> list[str]:
        collect_worker_metrics()
        events = [posted.json["event"] for posted in http_sink.requests]
        http_sink.requests.clear()
        return events

    return collect_events


def test_consecutive_failures_are_notified_once_and_so_is_the_recovery(run, notified_events):
    run(Completed())
    assert notified_events() == []
    run(Failed(message="the disk is full"))
    assert notified_events() == ["deployment_failing"]
    run(Failed(message="the disk is full"))
    assert notified_events() == []
    run(Completed(name="Skipped"))
    assert notified_events() == []
    run(Completed(message="4 pages"))
    assert notified_events() == ["deployment_recovered"]
    assert notified_events() == []


def test_email_and_webhook_name_the_failure(
    run, notified_events, variables, http_sink: HttpSink, smtp_sink: SmtpSink, sql
):
    assert notified_events() == []
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
    subjects = [str(email.mail["Subject"]) for email in smtp_sink.messages]
    assert subjects == [f"[failing] {DEPLOYMENT}: Failed"] * 2
    assert sql("select status, count(*) from ops.deliveries group by 1") == [("sent", 3)]
    assert sql("select status, count(*) from ops.deployment_notices group by 1") == [("sent", 3)]


def test_a_message_waits_for_its_receiver(run, notified_events, http_sink: HttpSink, sql):
    http_sink.stop()
    run(Failed())
    result = collect_worker_metrics()
    assert "messages: 1 will be retried" in result["message"]
    assert result["status"] == "success"
    (reason,) = result["failed_notifications"]
    assert reason == "webhook: http://127.0.0.1: [Errno 111] Connection refused"
    ((status, error),) = sql("select status, last_error from ops.deliveries")
    assert (status, "127.0.0.1" in error) == ("pending", True)
    http_sink.start()
    sql("update ops.deliveries set next_attempt_at = now()")
    assert notified_events() == ["deployment_failing"]


def test_a_message_of_a_killed_sender_is_sent_by_the_next_with_the_same_key(
    run, notified_events, http_sink: HttpSink, variables
):
    variables(alert_webhook_url="")
    run(Completed())
    collect_worker_metrics()
    variables(alert_webhook_url=http_sink.url)
    run(Failed())
    code = "from flows.monitoring import collect_worker_metrics; collect_worker_metrics()"
    environment = {**os.environ, "PREFECT_API_URL": str(PREFECT_API_URL.value())}
    with http_sink.pausing_answer(to=1) as answer:
        child = subprocess.Popen([sys.executable, "-c", code], env=environment)
        assert answer.wait(60)
        child.send_signal(signal.SIGKILL)
        child.wait()
    (first,) = http_sink.requests
    wait_until(lambda: deliver_due("monitoring")["sent"] == 1, timeout=20, interval=0.2)
    assert http_sink.keys() == [first.key, first.key]
    http_sink.requests.clear()
    assert notified_events() == []


def collect() -> dict[str, object]:
    """Run the flow and return its result in every state."""
    try:
        return dict(collect_worker_metrics())
    except RunFailed as failed:
        return dict(failed.result or {})


@pytest.fixture
def no_recipients(run, variables) -> Callable[..., None]:  # noqa: ARG001  # deploys
    """Configure no channel; return a function that sets variables."""
    collect()  # processes runs of other tests
    return variables


def events(http_sink: HttpSink) -> list[str]:
    return [posted.json["event"] for posted in http_sink.requests]


def test_a_failure_without_a_recipient_is_reported_and_notified_later(
    run, no_recipients, http_sink: HttpSink
):
    run(Failed(message="the disk is full"))
    result = collect()
    assert result["untold"] == [DEPLOYMENT]
    assert f"no recipients were notified that {DEPLOYMENT} failed" in str(result["message"])
    assert result["status"] == "success"
    finding = check_messages()
    assert (finding.status, DEPLOYMENT in finding.message) == ("degraded", True)
    assert "ALERT_WEBHOOK_URL" in finding.fix
    failed = run(Failed(message="still full"))
    assert collect()["untold"] == [DEPLOYMENT]
    no_recipients(alert_webhook_url=http_sink.url)
    assert collect()["untold"] == []
    assert check_messages().status == "healthy"
    (posted,) = http_sink.requests
    assert posted.json["event"] == "deployment_failing"
    assert (posted.json["failures"], posted.json["run_id"]) == (2, str(failed.id))
    collect()
    run(Completed())
    collect()
    assert events(http_sink) == ["deployment_failing", "deployment_recovered"]


def test_a_recovery_before_there_was_a_recipient_is_not_notified(
    run, no_recipients, http_sink: HttpSink
):
    run(Failed())
    collect()
    run(Completed())
    result = collect()
    assert (result["untold"], result["health_changes"]) == ([], [f"{DEPLOYMENT} recovered"])
    no_recipients(alert_webhook_url=http_sink.url)
    collect()
    assert http_sink.requests == []
    run(Failed())
    collect()
    run(Completed())
    collect()
    assert events(http_sink) == ["deployment_failing", "deployment_recovered"]


def test_a_failure_and_its_recovery_within_one_minute_are_notified_in_order(
    run, notified_events, http_sink: HttpSink
):
    run(Failed())
    run(Completed())
    assert notified_events() == ["deployment_failing", "deployment_recovered"]
    assert http_sink.requests == []


@pytest.fixture
def emails(variables, smtp_sink: SmtpSink) -> Callable[[], list[tuple[str, str]]]:
    """Configure email to ann besides the webhook; return a function that reads recipients and subjects."""
    server = {"host": "127.0.0.1", "port": smtp_sink.port, "tls": "none"}
    server |= {"from": "worker@example.com", "to": "ann@example.com"}
    variables(**{f"alert_email_{name}": value for name, value in server.items()})

    def read() -> list[tuple[str, str]]:
        pairs = [(each.recipients[0], str(each.mail["Subject"])) for each in smtp_sink.messages]
        return [(to, subject.split("]")[0] + "]") for to, subject in pairs]

    return read


def test_only_recipients_of_the_failure_are_notified_of_the_recovery(
    run, notified_events, emails, variables, smtp_sink: SmtpSink, sql
):
    smtp_sink.refuse("ann@example.com", 550)
    run(Failed())
    collect()
    smtp_sink.refuse("ann@example.com", 250)
    variables(alert_email_to="ann@example.com,new@example.com")
    run(Completed())
    assert "deployment_recovered" in notified_events()
    assert emails() == []
    cancelled = sql("select recipient from ops.deliveries where status = 'cancelled' order by 1")
    assert cancelled == [("ann@example.com",), ("new@example.com",)]


def test_a_message_that_fails_permanently_makes_the_run_partial(
    run, notified_events, emails, smtp_sink: SmtpSink, http_sink: HttpSink
):
    smtp_sink.refuse("ann@example.com", 550)
    run(Failed())
    result = collect()
    assert result["status"] == "partial"
    assert "1 of this run's messages could not be delivered" in str(result["message"])
    assert "email: 550" in str(result["failed_notifications"])
    assert [posted.json["event"] for posted in http_sink.requests] == [
        "deployment_failing",
        "delivery_failed",
    ]
    assert emails() == []
    result = collect()
    assert (result["status"], result["failed_notifications"]) == ("success", [])
    del notified_events


def test_a_failed_message_without_an_owner_to_notify_makes_the_run_partial(
    run, no_recipients, emails, smtp_sink: SmtpSink
):
    smtp_sink.refuse("ann@example.com", 550)
    run(Failed())
    result = collect()
    assert result["status"] == "partial"
    assert "1 failed with no recipient left to notify" in str(result["message"])
    del no_recipients, emails


def test_a_missing_channel_block_degrades_the_health(run, no_recipients, http_sink: HttpSink, sql):
    no_recipients(monitoring_channels="team-hook", alert_slack_url=http_sink.url)
    run(Failed())
    result = collect()
    assert (result["status"], result["untold"]) == ("success", [])
    assert "1 waiting for configuration" in str(result["message"])
    finding = check_messages()
    assert finding.status == "degraded"
    assert finding.message.startswith("1 message has waited for channel 'team-hook' since ")
    assert "create a channel block of that name" in finding.message
    WebhookChannel(url=SecretStr(http_sink.url)).save("team-hook", _sync=True)  # pyright: ignore[reportCallIssue]
    try:
        sql("update ops.deliveries set next_attempt_at = now()")
        collect()
    finally:
        Block.delete("webhook-channel/team-hook", _sync=True)  # pyright: ignore[reportCallIssue]
    assert events(http_sink) == ["deployment_failing"]
    assert check_messages().status == "healthy"


def test_old_messages_are_deleted_and_waiting_ones_stay(
    run, notified_events, http_sink: HttpSink, sql
):
    run(Failed())
    assert notified_events() == ["deployment_failing"]
    http_sink.stop()
    run(Completed())
    collect()
    sql("update ops.messages set created_at = now() - interval '31 days'")
    collect()
    assert sql("select kind from ops.messages") == [("deployment_recovered",)]
    http_sink.start()
