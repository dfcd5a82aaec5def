"""Outages of the database are notified without it: once when it is unavailable, once when it recovers."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from analytics_worker.circuit_breaker import db_circuit_breaker
from analytics_worker.prefect_support.results import RunFailed
from analytics_worker.settings import settings
from flows.monitoring import collect_worker_metrics
from tests.support.attacks import attack
from tests.support.http_sink import HttpSink

pytestmark = pytest.mark.usefixtures("environment", "prefect_api")

UNAVAILABLE = "postgresql://me:canary@127.0.0.1:1/kpis"


@pytest.fixture
def webhook_recipient(variables, http_sink: HttpSink) -> HttpSink:
    variables(alert_webhook_url=http_sink.url)
    collect_worker_metrics()  # processes runs of other tests
    http_sink.requests.clear()
    return http_sink


@pytest.fixture
def minute(environment: str, webhook_recipient: HttpSink, variables) -> Callable[[str], list[str]]:
    """Run the flow once with an available or unavailable database; return the events sent to the webhook."""

    def run(database: str = environment) -> list[str]:
        variables(database_url=database)
        if database == UNAVAILABLE:
            with pytest.raises(RunFailed, match=r"Connection refused|circuit"):
                collect_worker_metrics()
        else:
            db_circuit_breaker.reset()  # as if its recovery time had passed
            collect_worker_metrics()
        events = [posted.json["event"] for posted in webhook_recipient.requests]
        webhook_recipient.requests.clear()
        return events

    return run


def move_outage_to_the_past() -> None:
    path = settings().state_dir / "database-away.json"
    outage = json.loads(path.read_text())
    earlier = datetime.now(UTC) - timedelta(minutes=5)
    path.write_text(json.dumps({**outage, "since": earlier.isoformat()}))


def test_an_outage_is_notified_once_after_its_first_minute_and_so_is_the_recovery(minute):
    assert minute(UNAVAILABLE) == []
    assert minute() == [], "a restart is not an outage"
    assert minute(UNAVAILABLE) == []
    move_outage_to_the_past()
    assert minute(UNAVAILABLE) == ["database_away"]
    assert minute(UNAVAILABLE) == []
    assert minute() == ["database_back"]
    assert minute() == []


@attack(
    by="network",
    what="a database that is unavailable: its address could appear in messages",
    answer="the reason without the password",
)
def test_messages_name_the_reason_and_no_secret(
    minute, webhook_recipient: HttpSink, variables, smtp_sink
):
    variables(
        alert_email_host="127.0.0.1",
        alert_email_port=smtp_sink.port,
        alert_email_tls="none",
        alert_email_from="worker@example.com",
        alert_email_to="ann@example.com,bob@example.com",
    )
    minute(UNAVAILABLE)
    move_outage_to_the_past()
    with pytest.raises(RunFailed):
        collect_worker_metrics()
    (posted,) = webhook_recipient.requests
    assert "Connection refused" in posted.json["message"]
    assert "canary" not in posted.body.decode()
    minute()
    subjects = [str(email.mail["Subject"]) for email in smtp_sink.messages]
    outage = "[failing] the analytics database is unavailable"
    recovery = "[recovered] the analytics database is available again"
    assert subjects[:2] == [outage] * 2
    assert [subject.startswith(recovery) for subject in subjects[2:]] == [True] * 2


def test_an_unavailable_channel_is_notified_later(minute, webhook_recipient: HttpSink):
    minute(UNAVAILABLE)
    move_outage_to_the_past()
    webhook_recipient.stop()
    assert minute(UNAVAILABLE) == []
    webhook_recipient.start()
    assert minute(UNAVAILABLE) == ["database_away"]
    webhook_recipient.stop()
    assert minute() == []
    webhook_recipient.start()
    assert minute() == ["database_back"]
    assert minute() == []
