"""A sender of alerts of the previous version, which wrote to ``ops.alert_deliveries`` itself.

Its statements are those of that version, word for word, in the same order: it takes back, expires and
notifies owners first, then claims and settles message by message. Only webhooks are sent.
"""

import multiprocessing
import os
import secrets
from contextlib import AbstractContextManager
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Connection, RowMapping, text

from analytics_worker.database.connections import warehouse
from analytics_worker.settings import settings
from analytics_worker.transport.webhook import webhook_session
from tests.support.forked_process import run_forked


def deliver_due() -> None:
    """Send what is due."""
    owner = f"old/{os.getpid()}/{secrets.token_hex(4)}"
    with warehouse(autocommit=True) as connection:
        _run(connection, "register", owner=owner)
        _run(connection, "recover")
        _run(connection, "expire", max_seconds=86_400)
        _run(connection, "tell_owners")
        _send(connection, owner)
        _run(connection, "tell_owners")
        _run(connection, "leave", owner=owner)


def _run(connection: Connection, name: str, **parameters: Any) -> list[RowMapping]:
    statement = (Path(__file__).parent / "old_version" / f"alerts_{name}.sql").read_text()
    result = connection.execute(text(statement), parameters)
    return list(result.mappings()) if result.returns_rows else []


def _send(connection: Connection, owner: str) -> None:
    claim = {"channel": "webhook", "batch": 25, "owner": owner, "lease_seconds": 300}
    with webhook_session(_url()) as hook:
        while claimed := _run(connection, "claim", **claim):
            for row in claimed:
                hook.post(row["payload"]["json"], row["message_id"])
                _settle(connection, owner, row["id"])


def _url() -> SecretStr:
    url = settings().alert_webhook_url
    assert url is not None
    return url


def _settle(connection: Connection, owner: str, delivery_id: Any) -> None:
    sent = {"status": "sent", "tries": 1, "error": None, "delay_seconds": 0}
    _run(connection, "settle", id=delivery_id, owner=owner, **sent)


@pytest.fixture(scope="session")
def old_sender_context() -> ForkServerContext:
    """Processes forked from one that has imported everything and runs nothing."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def old_sender(context: ForkServerContext) -> AbstractContextManager[BaseProcess]:
    """Start a process that delivers what is due, with this test's settings."""
    return run_forked(context, deliver_due)
