"""Who is notified of failures and recoveries: without, with new, and with unreachable recipients."""

from collections.abc import Callable

import pytest
from prefect.blocks.core import Block
from prefect.states import Completed, Failed
from pydantic import SecretStr

from blocks.notifications import WebhookChannel
from flows.monitoring.checks.delivery import check_messages
from tests.flows.monitoring.conftest import DEPLOYMENT, collect
from tests.support.http_sink import HttpSink
from tests.support.smtp_sink import SmtpSink

pytestmark = pytest.mark.usefixtures("environment")


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
    assert posted.json["event"] == "incident_opened"
    assert posted.json["run_id"] == str(failed.id)
    assert posted.json["message"] == "still full"
    collect()
    run(Completed())
    collect()
    assert events(http_sink) == ["incident_opened", "incident_resolved"]


def test_a_recovery_before_there_was_a_recipient_is_not_notified(
    run, no_recipients, http_sink: HttpSink
):
    run(Failed())
    collect()
    run(Completed())
    result = collect()
    assert (result["untold"], result["incident_changes"]) == ([], [f"{DEPLOYMENT} resolved"])
    no_recipients(alert_webhook_url=http_sink.url)
    collect()
    assert http_sink.requests == []
    run(Failed())
    collect()
    run(Completed())
    collect()
    assert events(http_sink) == ["incident_opened", "incident_resolved"]


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
    assert "incident_resolved" in notified_events()
    assert emails() == []
    cancelled = sql("select recipient from ops.deliveries where status = 'cancelled' order by 1")
    assert cancelled == [("ann@example.com",)]
    assert sql("select id from ops.deliveries where recipient = 'new@example.com'") == []


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
        "incident_opened",
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
    assert events(http_sink) == ["incident_opened"]
    assert check_messages().status == "healthy"
