"""Fill an outbox, and run senders as processes that can be killed."""

import multiprocessing
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from analytics_worker.database.connections import warehouse
from analytics_worker.delivery import routing
from analytics_worker.delivery.attachments import AttachmentUnavailableError
from analytics_worker.delivery.message import Attachment, Content, Domain, Message, Recipient
from analytics_worker.delivery.outbox import enqueue
from analytics_worker.settings import settings
from tests.support.forked_process import run_forked
from tests.support.http_sink import HttpSink
from tests.support.smtp_sink import SmtpSink

CHANNELS = "tests.support.delivery_channels"


def use_test_channels() -> None:
    """Let every type of block be sent by the channels of `delivery_channels`."""
    for slug in routing.CHANNEL_MODULES:
        routing.CHANNEL_MODULES[slug] = CHANNELS


def webhook_recipient(name: str = "webhook") -> Recipient:
    return Recipient(name, name)


def email_recipient(name: str) -> Recipient:
    return Recipient("email", f"{name}@example.com")


def open_report(attachment: Attachment) -> Any:
    """Open a file of REPORT_OUTPUT_DIR, as the reports domain does."""
    return _opened(settings().report_output_dir, attachment.name)


@contextmanager
def _opened(folder: Path, name: str) -> Generator[Path]:
    if not folder.is_dir():
        raise AttachmentUnavailableError(f"{folder.name} is not there")
    path = folder / name
    if not path.exists():
        raise FileNotFoundError(name)
    yield path


class Deliveries:
    """The tables of this test's database."""

    def add(
        self,
        *recipients: Recipient,
        key: str | None = None,
        subject: str = "Pipeline fell",
        domain: Domain = "alerts",
        files: Sequence[str] = (),
        **columns: Any,
    ) -> UUID:
        """Enqueue one message; with a key, the first recipient's."""
        message_id = columns.pop("id", None) or uuid4()
        content = columns.pop("content", None) or Content(
            subject=subject,
            text="It fell.",
            attachments=tuple(_attachment(name) for name in files),
        )
        keys = {each: f"{key}{n or ''}" for n, each in enumerate(recipients)} if key else {}
        message = Message(
            domain, columns.pop("kind", "firing"), content, recipients, keys=keys, **columns
        )
        with warehouse() as connection:
            enqueue(connection, [message._replace(id=message_id)])
        return message_id

    def rows(self, order: str = "idempotency_key") -> list[Any]:
        return self.run(f"select * from ops.deliveries order by {order}")

    def row(self, key: str) -> Any:
        (row,) = self.run("select * from ops.deliveries where idempotency_key = :key", key=key)
        return row

    def statuses(self) -> list[str]:
        return [row["status"] for row in self.rows("position, idempotency_key")]

    def status(self, key: str) -> str:
        return self.row(key)["status"]

    def let_time_pass(self) -> None:
        """Make everything due that waits, and end all pauses."""
        self.run("update ops.deliveries set next_attempt_at = now() where status = 'pending'")
        self.run(
            "update ops.delivery_channels set paused_until = now(),"
            " refilled_at = refilled_at - interval '1 day'"
        )

    def age(self, by: timedelta) -> None:
        self.run(
            "update ops.deliveries set queued_at = queued_at - make_interval(secs => :seconds)",
            seconds=by.total_seconds(),
        )

    def run(self, statement: str, **parameters: Any) -> list[Any]:
        with warehouse() as connection:
            result = connection.execute(text(statement), parameters)
            return list(result.mappings()) if result.returns_rows else []


def _attachment(name: str) -> Attachment:
    return Attachment(
        storage="", name=name, attach_as=name, media_type="text/csv", url=f"https://files/{name}"
    )


@pytest.fixture
def deliveries(
    environment: str, smtp_sink: SmtpSink, http_sink: HttpSink, monkeypatch: pytest.MonkeyPatch
) -> Deliveries:
    """An empty outbox; the default channels lead to the sinks, ``slack`` to /slack."""
    del environment
    for slug in list(routing.CHANNEL_MODULES):
        monkeypatch.setitem(routing.CHANNEL_MODULES, slug, CHANNELS)
    variables = {
        "ALERT_EMAIL_HOST": smtp_sink.host,
        "ALERT_EMAIL_PORT": str(smtp_sink.port),
        "ALERT_EMAIL_TLS": "none",
        "ALERT_EMAIL_FROM": "alerts@example.com",
        "ALERT_EMAIL_TIMEOUT_SECONDS": "10",
        "ALERT_WEBHOOK_URL": f"{http_sink.url}/canary-token",
        "ALERT_WEBHOOK_SECRET": "canary-secret",
        "ALERT_SLACK_URL": f"http://{http_sink.host}:{http_sink.port}/slack",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    return Deliveries()


@pytest.fixture(scope="session")
def delivery_context() -> ForkServerContext:
    """Processes forked from one that has imported everything and runs nothing."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["analytics_worker.delivery.dispatcher", CHANNELS])
    return context


def _deliver(domain: Domain | None, renew_seconds: float) -> None:
    from analytics_worker.delivery import dispatcher  # noqa: PLC0415  # preloaded

    dispatcher.RENEW_SECONDS = renew_seconds
    use_test_channels()
    dispatcher.deliver_due(domain, open_attachment=open_report)


def sender(
    context: ForkServerContext,
    domain: Domain | None = None,
    *,
    renew_seconds: float = 60,
) -> AbstractContextManager[BaseProcess]:
    """Start a process that delivers what is due, with this test's settings."""
    return run_forked(context, _deliver, domain, renew_seconds)
