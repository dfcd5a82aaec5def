"""An outbox with messages in it, and senders that are processes of their own, to be killed."""

import multiprocessing
import os
from collections.abc import Generator
from contextlib import contextmanager
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from typing import Any

import pytest
from sqlalchemy import RowMapping, text

from analytics_worker.database.connections import warehouse
from analytics_worker.settings import settings
from tests.support.http_sink import HttpSink
from tests.support.smtp_sink import SmtpSink

_SENDER_READS = ("DATABASE_URL", "STATE_DIR", "ALERT_", "WEBHOOK_")


class Outbox:
    """The table ops.alert_deliveries of this test's database."""

    def add(self, channel: str, recipient: str, key: str, event: int | None = None) -> None:
        payload = '{"subject": "Pipeline fell", "text": "It fell.", "json": {"rule": "pipeline"}}'
        self.run(
            "insert into ops.alert_deliveries (channel, recipient, message_id, payload, event_id)"
            " values (:channel, :recipient, :key, cast(:payload as jsonb), :event)",
            channel=channel,
            recipient=recipient,
            key=key,
            payload=payload,
            event=event,
        )

    def mails(self, count: int) -> None:
        for number in range(count):
            self.add("email", f"r{number}@example.com", f"<{number}@test>")

    def hooks(self, count: int) -> None:
        for number in range(count):
            self.add("webhook", "webhook", f"k{number}")

    def row(self, key: str) -> RowMapping:
        rows = self.run("select * from ops.alert_deliveries where message_id = :key", key=key)
        assert len(rows) == 1
        return rows[0]

    def statuses(self) -> list[str]:
        rows = self.run("select status from ops.alert_deliveries order by message_id")
        return [row["status"] for row in rows]

    def let_time_pass(self) -> None:
        """What waits for its next attempt is due now."""
        self.run("update ops.alert_deliveries set next_attempt_at = now()")

    def run(self, statement: str, **parameters: Any) -> list[RowMapping]:
        with warehouse() as connection:
            result = connection.execute(text(statement), parameters)
            return list(result.mappings()) if result.returns_rows else []


@pytest.fixture
def outbox(
    environment: str, smtp_sink: SmtpSink, http_sink: HttpSink, monkeypatch: pytest.MonkeyPatch
) -> Outbox:
    """An empty outbox; the default channels lead to the sinks."""
    del environment
    variables = {
        "ALERT_EMAIL_HOST": smtp_sink.host,
        "ALERT_EMAIL_PORT": str(smtp_sink.port),
        "ALERT_EMAIL_TLS": "none",
        "ALERT_EMAIL_FROM": "alerts@example.com",
        "ALERT_EMAIL_TIMEOUT_SECONDS": "10",
        "ALERT_WEBHOOK_URL": f"{http_sink.url}/canary-token",
        "ALERT_WEBHOOK_SECRET": "canary-secret",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    return Outbox()


@pytest.fixture(scope="session")
def sender_context() -> ForkServerContext:
    """Processes forked from one that has imported everything and runs nothing."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["flows.alerts.notifications.outbox"])
    return context


def _deliver(environment: dict[str, str]) -> None:
    from flows.alerts.notifications.outbox import deliver_due  # noqa: PLC0415  # preloaded

    os.environ |= environment
    settings.cache_clear()
    deliver_due()


@contextmanager
def sender(context: ForkServerContext) -> Generator[BaseProcess]:
    """A process that delivers what is due, with this test's settings."""
    variables = {n: v for n, v in os.environ.items() if n.startswith(_SENDER_READS)}
    process = context.Process(target=_deliver, args=(variables,))
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join(timeout=30)
        process.close()
