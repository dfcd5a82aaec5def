"""What nobody could be told through the database: that it is away. Told once, and once that it is back."""

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

AWAY = "postgresql://me:canary@127.0.0.1:1/kpis"


@pytest.fixture
def webhook_recipient(variables, http_sink: HttpSink) -> HttpSink:
    variables(alert_webhook_url=http_sink.url)
    collect_worker_metrics()  # judges what other tests left
    http_sink.requests.clear()
    return http_sink


@pytest.fixture
def minute(environment: str, webhook_recipient: HttpSink, variables) -> Callable[[str], list[str]]:
    """One run with the database there or not; what the web hook was told."""

    def run(database: str = environment) -> list[str]:
        variables(database_url=database)
        if database == AWAY:
            with pytest.raises(RunFailed, match=r"Connection refused|circuit"):
                collect_worker_metrics()
        else:
            db_circuit_breaker.reset()  # as if its minute were over
            collect_worker_metrics()
        events = [posted.json["event"] for posted in webhook_recipient.requests]
        webhook_recipient.requests.clear()
        return events

    return run


def a_minute_passes() -> None:
    path = settings().state_dir / "database-away.json"
    outage = json.loads(path.read_text())
    earlier = datetime.now(UTC) - timedelta(minutes=5)
    path.write_text(json.dumps({**outage, "since": earlier.isoformat()}))


def test_an_outage_is_told_once_from_its_second_minute_on_and_so_is_its_end(minute):
    assert minute(AWAY) == []
    assert minute() == [], "it was only started again"
    assert minute(AWAY) == []
    a_minute_passes()
    assert minute(AWAY) == ["database_away"]
    assert minute(AWAY) == []
    assert minute() == ["database_back"]
    assert minute() == []


@attack(
    by="network",
    what="a database that is unavailable: its address goes into notices",
    answer="the reason without the password",
)
def test_what_is_told_names_the_reason_and_no_secret(
    minute, webhook_recipient: HttpSink, variables, smtp_sink
):
    variables(
        alert_email_host="127.0.0.1",
        alert_email_port=smtp_sink.port,
        alert_email_tls="none",
        alert_email_from="worker@example.com",
        alert_email_to="ann@example.com,bob@example.com",
    )
    minute(AWAY)
    a_minute_passes()
    with pytest.raises(RunFailed):
        collect_worker_metrics()
    (posted,) = webhook_recipient.requests
    assert "Connection refused" in posted.json["message"]
    assert "canary" not in posted.body.decode()
    minute()
    subjects = [str(email_recipient.mail["Subject"]) for email_recipient in smtp_sink.messages]
    away, back = "[failing] the analytics database is away", "[recovered] the analytics database is"
    assert subjects[:2] == [away] * 2
    assert [subject.startswith(back) for subject in subjects[2:]] == [True] * 2


def test_a_channel_that_is_away_too_is_told_later_with_the_same_key(
    minute, webhook_recipient: HttpSink
):
    minute(AWAY)
    a_minute_passes()
    webhook_recipient.stop()
    assert minute(AWAY) == []
    webhook_recipient.start()
    assert minute(AWAY) == ["database_away"]
    webhook_recipient.stop()
    assert minute() == []
    webhook_recipient.start()
    assert minute() == ["database_back"]
    assert minute() == []
