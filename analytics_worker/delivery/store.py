"""Claim, settle and postpone deliveries as one sender.

Reads and writes ``ops.deliveries`` and ``ops.delivery_channels``. Every step is one statement and its own
transaction. If a sender dies between two steps, `DeliveryStore.recover` of any later sender releases its
claims. All threads of a sender share one connection, one after the other. While it is open, it holds an
advisory lock, which shows other senders that this one is alive.
"""

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from analytics_worker import run_lease
from analytics_worker.database.connections import warehouse
from analytics_worker.delivery.leases import LEASE_SECONDS, ClaimedDelivery, Leases, Settlement
from analytics_worker.delivery.message import Domain
from analytics_worker.delivery.outbox import storable
from analytics_worker.delivery.retry import NextStep
from analytics_worker.delivery.statements import Row, execute, execute_prepared
from analytics_worker.report_storage.location import location_name
from analytics_worker.settings import settings

REFUSAL_SECONDS = 600.0
"""The time after which a sender that could not open an attachment may retry."""
BATCH_SIZE = 25


class LostConnectionError(Exception):
    """The connection was lost whose lock shows that this sender is alive."""


@contextmanager
def delivery_store(domain: Domain | None) -> Generator["DeliveryStore"]:
    """Register this process as a sender with an advisory lock, and return its store."""
    owner = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(16)}"
    with warehouse(autocommit=True) as connection:
        execute(connection, "register", owner=owner)
        store = DeliveryStore(connection, owner, domain)
        try:
            yield store
        finally:
            store.stop()
            if not connection.invalidated and not store.connection_lost:
                execute(connection, "unregister", owner=owner)


class DeliveryStore:
    """The repository of one sender; usable from several threads."""

    def __init__(self, connection: Connection, owner: str, domain: Domain | None) -> None:
        self.owner = owner
        self.domain: Domain | None = domain
        self._connection_error: DBAPIError | None = None
        self._connection = connection
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._leases = Leases()

    def recover(self) -> None:
        """Release the claims of dead senders."""
        self.run("recover")

    def expire(self) -> int:
        """Fail the messages that have waited for the maximal age; return how many."""
        return len(self.run("expire", domain=self.domain, max_age_seconds=max_age_seconds()))

    def cancel_unfollowed(self) -> None:
        """Cancel messages that follow one that their recipient did not get."""
        self.run("cancel_unfollowed")

    def channels(self) -> Sequence[Row]:
        """Return the channels with due messages, and whether they are paused."""
        return self.run("due_channels", domain=self.domain)

    def count_due(self, channel: str) -> int:
        """Return how many messages of a channel are due."""
        return self.run("count_due", channel=channel, domain=self.domain)[0]["messages"]

    def expand(self, channel: str, addresses: Sequence[str]) -> None:
        """Readdress messages for a channel as a whole to each of its addresses."""
        self.run("expand", channel=channel, addresses=list(addresses), domain=self.domain)

    def claim(self, channel: str, *, batch: int, grouped: bool = False) -> list[ClaimedDelivery]:
        """Claim the next due messages of a channel; none if none is due or the sender stops.

        With ``grouped``, messages that wait for others with the same digest key are not due.
        """
        if self.stopped or batch <= 0:
            return []
        run_lease.check()
        started = time.time()
        rows = self.run(
            "claim",
            channel=channel,
            domain=self.domain,
            batch=batch,
            grouped=grouped,
            owner=self.owner,
            sender=location_name(),
            lease_seconds=LEASE_SECONDS,
            refusal_seconds=REFUSAL_SECONDS,
        )
        self._leases.add((row["id"] for row in rows), since=started)
        return [ClaimedDelivery(**row) for row in rows]

    def holds(self, claimed: ClaimedDelivery) -> bool:
        """Whether this sender still has the lease on a delivery, for long enough to send it."""
        run_lease.check()  # before it sends: what was sent must be settled
        return not self.connection_lost and self._leases.cover(claimed.id)

    def settle(
        self, channel: str, claimed: ClaimedDelivery, step: NextStep, receipt: str
    ) -> Settlement:
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
            (row,) = self._run(execute_prepared, "settle", parameters)
        except LostConnectionError:
            row = self._settle_elsewhere(parameters)
        if not row["recorded"]:
            self.renew()
        return Settlement(**row)

    def _settle_elsewhere(self, parameters: dict[str, Any]) -> Row:
        """Record the result on another connection, after the sender's own one was lost."""
        with warehouse(autocommit=True, after_loss=True) as connection:
            return execute(connection, "settle", **parameters)[0]

    def postpone(
        self,
        channel: str,
        claimed: Sequence[ClaimedDelivery],
        delay_seconds: float,
        error: str,
        *,
        keep_old: bool = True,
    ) -> int:
        """Release claims and postpone the due messages of a channel; return how many messages wait.

        With ``keep_old``, messages beyond the maximal age that were never tried get no reason, so
        that they are tried once before they fail.
        """
        rows = self.run(
            "postpone",
            channel=channel,
            claimed=self._drop_leases(claimed),
            owner=self.owner,
            domain=self.domain,
            delay_seconds=delay_seconds,
            error=storable(error),
            keep_old=keep_old,
            max_age_seconds=max_age_seconds(),
        )
        return len(rows)

    def release(self, claimed: Sequence[ClaimedDelivery]) -> None:
        """Release claims on deliveries that were not sent."""
        if claimed and not self.connection_lost:
            self.run("release", claimed=self._drop_leases(claimed), owner=self.owner)

    def refuse(self, claimed: ClaimedDelivery, error: str) -> None:
        """Release a message for a sender that can open its attachments."""
        self._leases.drop([claimed.id])
        self.run(
            "refuse",
            id=claimed.id,
            owner=self.owner,
            sender=location_name(),
            error=storable(error),
        )

    def renew(self) -> None:
        """Renew the leases, and drop those that another sender has taken over."""
        if self.connection_lost:
            return
        started = time.time()
        rows = self.run("renew", owner=self.owner, lease_seconds=LEASE_SECONDS)
        self._leases.keep((row["id"] for row in rows), since=started)

    @property
    def connection_lost(self) -> bool:
        """Whether the connection that shows that this sender is alive is lost."""
        return self._connection_error is not None

    def check(self) -> None:
        """Raise the error that ended the connection, if it is lost."""
        if self._connection_error is not None:
            raise self._connection_error

    def stop(self) -> None:
        """Stop the threads after the message that they are sending."""
        self._stopped.set()

    @property
    def stopped(self) -> bool:
        """Whether the threads should stop."""
        return self._stopped.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait, unless the sender is stopped; return whether it is still running."""
        return not self._stopped.wait(seconds)

    def _drop_leases(self, claimed: Sequence[ClaimedDelivery]) -> list[str]:
        self._leases.drop(each.id for each in claimed)
        return [str(each.id) for each in claimed]

    def run(self, name: str, **parameters: Any) -> Sequence[Row]:
        """Run a statement, after those of other threads; stop the sender if the connection is lost."""
        return self._run(execute, name, parameters)

    def _run(
        self, execute_statement: Callable[..., Sequence[Row]], name: str, parameters: dict[str, Any]
    ) -> Sequence[Row]:
        with self._lock:
            if self.connection_lost:
                raise LostConnectionError(name)
            try:
                return execute_statement(self._connection, name, **parameters)
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
                self._connection_error = error
                self.stop()
                raise LostConnectionError(name) from error


def max_age_seconds() -> float:
    """Return how long a message may wait."""
    return settings().delivery_max_age_hours * 3600
