"""Claim, settle and postpone deliveries as one sender.

Reads and writes ``ops.deliveries`` and ``ops.delivery_channels``. Every step is one statement and its own
transaction, so a sender that dies between two steps leaves rows that `DeliveryStore.recover` of any
later sender takes back. All threads of a sender share one connection, one after the other; while it is
open, it holds an advisory lock, by which other senders see that this one is alive.
"""

import os
import secrets
import socket
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from analytics_worker.database.connections import warehouse
from analytics_worker.delivery.leases import LEASE_SECONDS, Claimed, Leases, Settled
from analytics_worker.delivery.message import Domain
from analytics_worker.delivery.outbox import storable
from analytics_worker.delivery.retry import NextStep
from analytics_worker.delivery.statements import Row, execute
from analytics_worker.report_storage.location import location_name
from analytics_worker.settings import settings

REFUSAL_SECONDS = 600.0
"""After which a sender that could not open an attachment may try again."""
BATCH = 25


class LostConnectionError(Exception):
    """The connection whose lock shows that this sender is alive is gone."""


@contextmanager
def delivery_store(domain: Domain | None) -> Generator["DeliveryStore"]:
    """Become a sender that others can see."""
    owner = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(16)}"
    with warehouse(autocommit=True) as connection:
        execute(connection, "register", owner=owner)
        store = DeliveryStore(connection, owner, domain)
        try:
            yield store
        finally:
            store.stop()
            if not connection.invalidated and not store.lost:
                execute(connection, "leave", owner=owner)


class DeliveryStore:
    """What one sender reads and writes; usable from several threads."""

    def __init__(self, connection: Connection, owner: str, domain: Domain | None) -> None:
        """Use a connection on which every statement commits."""
        self.owner = owner
        self.domain: Domain | None = domain
        self._loss: DBAPIError | None = None
        self._connection = connection
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._leases = Leases()

    def recover(self) -> None:
        """Take back what dead senders had claimed."""
        self.run("recover")

    def expire(self) -> int:
        """Give up on what has waited for the maximal age; return how many."""
        return len(self.run("expire", domain=self.domain, max_age_seconds=max_age_seconds()))

    def cancel_unfollowed(self) -> None:
        """Cancel what follows a message that its recipient did not get."""
        self.run("cancel_unfollowed")

    def channels(self) -> Sequence[Row]:
        """Return the channels that have something due, and whether they are paused."""
        return self.run("due_channels", domain=self.domain)

    def count_due(self, channel: str) -> int:
        """Return how many messages of a channel are due."""
        return self.run("count_due", channel=channel, domain=self.domain)[0]["messages"]

    def expand(self, channel: str, addresses: Sequence[str]) -> None:
        """Readdress what is for a channel as a whole to each of its addresses."""
        self.run("expand", channel=channel, addresses=list(addresses), domain=self.domain)

    def claim(self, channel: str, *, batch: int) -> list[Claimed]:
        """Claim the next due messages of a channel; none when all is sent or the sender stops."""
        if self.stopped or batch <= 0:
            return []
        started = time.time()
        rows = self.run(
            "claim",
            channel=channel,
            domain=self.domain,
            batch=batch,
            owner=self.owner,
            sender=location_name(),
            lease_seconds=LEASE_SECONDS,
            refusal_seconds=REFUSAL_SECONDS,
        )
        self._leases.add((row["id"] for row in rows), since=started)
        return [Claimed(**row) for row in rows]

    def holds(self, claimed: Claimed) -> bool:
        """Whether the lease on a delivery is still ours and long enough to send it."""
        return not self.lost and self._leases.cover(claimed.id)

    def settle(self, channel: str, claimed: Claimed, step: NextStep, receipt: str) -> Settled:
        """Record the result of an attempt, unless another sender has taken the delivery over."""
        parameters = step._asdict() | {
            "id": claimed.id,
            "owner": self.owner,
            "channel": channel,
            "receipt": receipt,
        }
        parameters.pop("pause_seconds")
        self._leases.drop([claimed.id])
        try:
            (row,) = self.run("settle", **parameters)
        except LostConnectionError:
            row = self._settle_elsewhere(parameters)
        if not row["ours"]:
            self.renew()
        return Settled(**row)

    def _settle_elsewhere(self, parameters: dict[str, Any]) -> Row:
        """Record on another connection what was sent when the own one was lost."""
        with warehouse(autocommit=True) as connection:
            return execute(connection, "settle", **parameters)[0]

    def postpone(
        self,
        channel: str,
        claimed: Sequence[Claimed],
        delay_seconds: float,
        error: str,
        *,
        keep_old: bool = True,
    ) -> int:
        """Give back what is claimed and leave the channel alone; return how many messages wait.

        With ``keep_old``, messages beyond the maximal age that were never tried get no reason, so
        that they are tried before they are given up.
        """
        rows = self.run(
            "postpone",
            channel=channel,
            claimed=self._given_back(claimed),
            owner=self.owner,
            domain=self.domain,
            delay_seconds=delay_seconds,
            error=storable(error),
            keep_old=keep_old,
            max_age_seconds=max_age_seconds(),
        )
        return len(rows)

    def release(self, claimed: Sequence[Claimed]) -> None:
        """Give back what is claimed and was not sent."""
        if claimed and not self.lost:
            self.run("release", claimed=self._given_back(claimed), owner=self.owner)

    def refuse(self, claimed: Claimed, error: str) -> None:
        """Leave a message to a sender that can open its attachments."""
        self._leases.drop([claimed.id])
        self.run(
            "refuse",
            id=claimed.id,
            owner=self.owner,
            sender=location_name(),
            error=storable(error),
        )

    def renew(self) -> None:
        """Keep the leases; learn which of them another sender has taken over."""
        if self.lost:
            return
        started = time.time()
        rows = self.run("renew", owner=self.owner, lease_seconds=LEASE_SECONDS)
        self._leases.keep((row["id"] for row in rows), since=started)

    @property
    def lost(self) -> bool:
        """Whether the connection is gone, by which others see that this sender is alive."""
        return self._loss is not None

    def check(self) -> None:
        """Raise the error that ended the connection, if it is gone."""
        if self._loss is not None:
            raise self._loss

    def stop(self) -> None:
        """Let the threads end after the message that they are sending."""
        self._stopped.set()

    @property
    def stopped(self) -> bool:
        """Whether the threads are to end."""
        return self._stopped.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait, unless the sender is stopped; return whether it is not."""
        return not self._stopped.wait(seconds)

    def _given_back(self, claimed: Sequence[Claimed]) -> list[str]:
        self._leases.drop(each.id for each in claimed)
        return [str(each.id) for each in claimed]

    def run(self, name: str, **parameters: Any) -> Sequence[Row]:
        """Run a statement, after those of other threads; stop the sender if the connection is lost."""
        with self._lock:
            if self.lost:
                raise LostConnectionError(name)
            try:
                return execute(self._connection, name, **parameters)
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
                self._loss = error
                self.stop()
                raise LostConnectionError(name) from error


def max_age_seconds() -> float:
    """Return how long a message waits."""
    return settings().delivery_max_age_hours * 3600
