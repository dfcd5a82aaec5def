"""The outbox as its senders see it: claim, settle, postpone.

Reads and writes ``ops.alert_deliveries``. Every step is one statement and its own transaction, so a
sender that dies between two steps leaves rows that `Ledger.recover` of any later sender takes back.
All threads of a sender share one connection, one after the other; while it is open, the sender lives.
"""

import os
import secrets
import socket
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, RowMapping

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.delivery.retry import Settlement
from flows.alerts.notifications.parcel import Parcel

LEASE_SECONDS = 300.0
BATCH = 25


class Claimed(NamedTuple):
    """A message that is this sender's to send."""

    id: UUID
    attempts: int
    parcel: Parcel


@contextmanager
def ledger(limit: int | None = None) -> Generator["Ledger"]:
    """Become a sender, for ``limit`` messages at most."""
    owner = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"
    with warehouse(autocommit=True) as connection:
        run_sql(connection, "alerts/outbox_register", owner=owner)
        book = Ledger(connection, owner, limit)
        try:
            yield book
        finally:
            book.stop()
            if not connection.invalidated:
                run_sql(connection, "alerts/outbox_leave", owner=owner)


class Ledger:
    """What one sender reads and writes; usable from several threads."""

    def __init__(self, connection: Connection, owner: str, limit: int | None) -> None:
        """Use a connection on which every statement commits."""
        self._connection = connection
        self._owner = owner
        self._left = limit
        self._turn = threading.Lock()
        self._stopped = threading.Event()

    def recover(self) -> None:
        """Take back what dead senders had claimed."""
        self._run("recover")

    def expire(self, max_seconds: float) -> int:
        """Give up on messages that a broken channel has kept so long; how many."""
        return len(self._run("expire", max_seconds=max_seconds))

    def tell_owners(self) -> int:
        """Write a message to each owner whose readers missed something; how many."""
        return len(self._run("tell_owners"))

    def channels(self) -> list[str]:
        """Names of the channels that have something due."""
        return sorted(row["channel"] for row in self._run("channels"))

    def expand(self, channel: str, addresses: Sequence[str]) -> None:
        """Readdress what is for a mail channel as a whole to each of its addresses."""
        self._run("expand", channel=channel, addresses=list(addresses))

    def claim(self, channel: str) -> list[Claimed]:
        """The next due messages of a channel; none when all is sent or the sender stops."""
        with self._turn:
            batch = BATCH if self._left is None else min(BATCH, self._left)
            if self._stopped.is_set() or batch <= 0:
                return []
            rows = run_sql(
                self._connection,
                "alerts/outbox_claim",
                channel=channel,
                batch=batch,
                owner=self._owner,
                lease_seconds=LEASE_SECONDS,
            )
            if self._left is not None:
                self._left -= len(rows)
        return [_claimed(row) for row in rows]

    def settle(self, claimed: Claimed, settlement: Settlement) -> None:
        """Write down what became of a message."""
        self._run("settle", id=claimed.id, owner=self._owner, **settlement._asdict())

    def postpone(
        self,
        channel: str,
        claimed: Sequence[Claimed],
        delay_seconds: float,
        error: str | None = None,
    ) -> int:
        """Give back what is claimed and leave the channel alone; how many messages wait."""
        rows = self._run(
            "postpone",
            channel=channel,
            claimed=[str(item.id) for item in claimed],
            owner=self._owner,
            delay_seconds=delay_seconds,
            error=error,
        )
        return len(rows)

    def renew(self) -> None:
        """Keep the lease on what is still being sent."""
        self._run("renew", owner=self._owner, lease_seconds=LEASE_SECONDS)

    def stop(self) -> None:
        """Let the threads end after the message that they are sending."""
        self._stopped.set()

    @property
    def stopped(self) -> bool:
        """Whether the threads are to end."""
        return self._stopped.is_set()

    def _run(self, statement: str, **parameters: Any) -> Sequence[RowMapping]:
        with self._turn:
            return run_sql(self._connection, f"alerts/outbox_{statement}", **parameters)


def _claimed(row: RowMapping) -> Claimed:
    payload: dict[str, Any] = row["payload"]
    parcel = Parcel(
        key=row["message_id"],
        recipient=row["recipient"],
        subject=str(payload.get("subject") or "Alert"),
        text=str(payload.get("text") or ""),
        html=payload.get("html"),
        json=payload.get("json"),
    )
    return Claimed(row["id"], row["attempts"], parcel)
