"""Send what the outbox holds: whatever run wrote it, any later one delivers it.

Reads and writes ``ops.alert_deliveries``; writes messages to owners there. Safe to repeat and to kill:
a message is claimed, sent, and settled before its sender takes the next one, so a killed sender leaves
at most one message for each channel of which nobody knows whether it arrived. That one is sent again,
with the same Message-ID or Idempotency-Key.

Channels are served at the same time, each by its own threads, so that one that hangs delays no other.
"""

import functools
import logging
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Literal, TypedDict

from httpx import HTTPError
from prefect.exceptions import PrefectException

from analytics_worker.circuit_breaker import CircuitOpenError, external_circuit_breaker
from analytics_worker.delivery.retry import attempt, settlement_of
from analytics_worker.errors import PermanentError
from analytics_worker.send_result import SendResult
from analytics_worker.settings import settings
from analytics_worker.text import one_line
from flows.alerts.notifications.channels import Channel, channel
from flows.alerts.notifications.outbox_store import Claimed, Ledger, ledger

NOT_CONFIGURED_SECONDS = 300.0
RENEW_SECONDS = 60.0

_log = logging.getLogger(__name__)

Fate = Literal["sent", "failed", "retrying", "skipped_open"]


class DeliveryCounts(TypedDict):
    """What became of the messages that were due."""

    sent: int
    failed: int
    """Given up; the rule's owner is told."""
    retrying: int
    """To be tried again."""
    skipped_open: int
    """Not tried, because the channel is known to be down."""


def deliver_due(limit: int | None = None) -> DeliveryCounts:
    """Send what is due, ``limit`` messages at most; tell owners what can't be delivered.

    Raises:
        CircuitOpenError: the database is known to be down.
    """
    fates: Counter[Fate] = Counter()
    with ledger(limit) as book:
        book.recover()
        fates["failed"] += book.expire(settings().alert_delivery_max_hours * 3600)
        book.tell_owners()
        fates += _deliver(book)
        if book.tell_owners():
            fates += _deliver(book)  # nobody is told of messages to owners: this ends
    return DeliveryCounts(
        sent=fates["sent"],
        failed=fates["failed"],
        retrying=fates["retrying"],
        skipped_open=fates["skipped_open"],
    )


def _deliver(book: Ledger) -> Counter[Fate]:
    """Serve all channels at the same time until nothing is due."""
    fates: Counter[Fate] = Counter()
    channels = [_configured(book, name, fates) for name in book.channels()]
    posts = [target for target in channels if target for _ in range(target.posters)]
    if not posts:
        return fates
    with ThreadPoolExecutor(max_workers=len(posts), thread_name_prefix="deliver") as threads:
        running = [threads.submit(_serve, book, target) for target in posts]
        _attend(book, running)
    return sum((future.result() for future in running), fates)


def _configured(book: Ledger, name: str, fates: Counter[Fate]) -> Channel | None:
    """The channel, or None after its messages were put off with the reason."""
    try:
        found = channel(name)
    except (PermanentError, PrefectException, HTTPError, RuntimeError) as error:
        reason = str(error) if isinstance(error, PermanentError) else type(error).__name__
        _log.warning("channel %s can't be used: %s", name, reason)
        wait_seconds = NOT_CONFIGURED_SECONDS
        fates["retrying"] += book.postpone(name, [], wait_seconds, one_line(reason))
        return None
    if found.recipients not in ([], [name]):
        book.expand(name, found.recipients)
    return found


def _attend(book: Ledger, running: list[Future[Counter[Fate]]]) -> None:
    """Keep the leases while the threads work; if this thread is interrupted, let them end."""
    try:
        while wait(running, timeout=RENEW_SECONDS).not_done:
            book.renew()
    except BaseException:
        book.stop()
        raise


def _serve(book: Ledger, target: Channel) -> Counter[Fate]:
    """One thread of a channel: claim, send, settle, until nothing is due or the channel is down."""
    fates: Counter[Fate] = Counter()
    breaker = external_circuit_breaker(target.service)
    with target.session() as send:
        while batch := book.claim(target.name):
            for position, claimed in enumerate(batch):
                if book.stopped:
                    return fates
                try:
                    outcome = attempt(breaker, functools.partial(send, claimed.parcel))
                except CircuitOpenError as closed:
                    waiting = book.postpone(target.name, batch[position:], _after(closed))
                    fates["skipped_open"] += waiting
                    return fates
                fates[_settle(book, target, claimed, outcome)] += 1
    return fates


def _after(closed: CircuitOpenError) -> float:
    return max(closed.retry_after, 1.0)


def _settle(book: Ledger, target: Channel, claimed: Claimed, outcome: SendResult) -> Fate:
    settlement = settlement_of(outcome, claimed.attempts)
    book.settle(claimed, settlement)
    if settlement.status == "sent":
        return "sent"
    verb = "given up" if settlement.status == "failed" else "put off"
    recipient = claimed.parcel.recipient
    _log.warning("%s to %s %s: %s", target.name, recipient, verb, settlement.error)
    return "failed" if settlement.status == "failed" else "retrying"
