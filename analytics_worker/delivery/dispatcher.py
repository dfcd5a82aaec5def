"""Deliver the messages of the outbox, whichever run and host enqueued them.

Reads and writes ``ops.deliveries`` through `DeliveryStore`, and enqueues owner notices. Safe to repeat
and to kill: a message is claimed, sent, and settled before its thread sends the next one, so a killed
sender leaves at most one message per thread for which it is unknown whether it arrived. That one is
sent again, with the same idempotency key. Channels are served at the same time, each by its own threads,
so that a channel that hangs does not delay others.
"""

import logging
import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import timedelta

from analytics_worker.delivery.attachments import AttachmentOpener
from analytics_worker.delivery.channel_thread import ChannelContext, ChannelThread
from analytics_worker.delivery.channels.base import Channel, Rate
from analytics_worker.delivery.counts import DeliveryCounter, DeliveryCounts, delivery_counts
from analytics_worker.delivery.deadline import Deadline
from analytics_worker.delivery.message import Domain
from analytics_worker.delivery.owner_notices import notify_owners
from analytics_worker.delivery.pacing import digest_backlog, digest_by_key, rate_of
from analytics_worker.delivery.report_files import open_report_file
from analytics_worker.delivery.routing import ChannelUnavailableError, channel
from analytics_worker.delivery.session import ANY_ERROR
from analytics_worker.delivery.statements import Row
from analytics_worker.delivery.store import DeliveryStore, LostConnectionError, delivery_store
from analytics_worker.delivery.unconfigured import wait_for_configuration
from analytics_worker.errors import PermanentError
from analytics_worker.send_result import one_line

UNAVAILABLE_SECONDS = 60.0
RENEW_SECONDS = 60.0
MAX_NOTICE_ROUNDS = 5
"""How many candidates for one notice are tried in one run."""

_log = logging.getLogger(__name__)


def deliver_due(
    domain: Domain | None = None,
    *,
    budget: timedelta | None = None,
    open_attachment: AttachmentOpener = open_report_file,
) -> DeliveryCounts:
    """Send what is due; notify owners of what can't be delivered.

    Args:
        domain: The domain whose messages are sent; None: all.
        budget: How long new messages are started; None: until nothing is due.
        open_attachment: Opens the files of messages.

    Raises:
        CircuitOpenError: the database is known to be unavailable.
        DBAPIError: it became unavailable.
    """
    with delivery_store(domain) as store:
        sender = _Dispatcher(store, Deadline(budget), open_attachment)
        try:
            return delivery_counts(sender.run())
        except LostConnectionError:
            store.check()
            raise


class _Dispatcher:
    """One run of a sender."""

    def __init__(
        self, store: DeliveryStore, deadline: Deadline, open_attachment: AttachmentOpener
    ) -> None:
        self._store = store
        self._deadline = deadline
        self._open_attachment = open_attachment
        self._counts = DeliveryCounter()
        self._paused_channels: set[str] = set()
        self._errors: list[BaseException] = []
        self._digest_lock = (
            threading.Lock()
        )  # each digest needs a connection of its own from the pool

    def run(self) -> DeliveryCounter:
        self._store.recover()
        self._counts["failed"] += self._store.expire()
        self._store.cancel_unfollowed()
        self._notify_owners()
        self._deliver()
        for _ in range(MAX_NOTICE_ROUNDS):
            if not self._notify_owners():
                break
            self._deliver()
        self._store.cancel_unfollowed()
        self._counts["paused"] = sum(map(self._store.count_due, sorted(self._paused_channels)))
        if self._errors:  # raised last, after the other channels and their owners have been served
            raise self._errors[0]
        return self._counts

    def _notify_owners(self) -> int:
        notices = notify_owners(self._store.domain)
        self._counts["unheard"] += notices.unheard
        return notices.enqueued

    def _deliver(self) -> None:
        """Serve all channels at the same time until nothing is due."""
        rows = self._store.channels()
        if not rows:
            return
        with ThreadPoolExecutor(len(rows), thread_name_prefix="deliver") as pool:
            running = [pool.submit(self._serve, row) for row in rows]
            _renew_leases_until_done(self._store, running)
        for row, future in zip(rows, running, strict=True):
            self._collect(row["channel"], future)
        self._store.check()

    def _collect(self, name: str, future: Future[DeliveryCounter]) -> None:
        """Add the counts of a channel; an error that is not one of its messages fails the run later."""
        try:
            self._counts += future.result()
        except LostConnectionError:
            raise
        except ANY_ERROR as error:
            kind = type(error).__name__
            _log.warning("channel %s can't be served: %s", one_line(name, 100), kind)
            self._errors.append(error)

    def _serve(self, row: Row) -> DeliveryCounter:
        """Serve one channel with its threads; opening it does not delay other channels either."""
        counts = DeliveryCounter()
        context = self._context(row, counts)
        if context is None:
            return counts
        counts += _run_threads(context)
        while self._may_continue(context) and self._group(context.channel):
            counts += _run_threads(context)
        if counts.total() and not counts["not_configured"]:
            self._store.run("mark_configured", channel=context.channel.name)
        return counts

    def _may_continue(self, context: ChannelContext) -> bool:
        is_paused = context.channel.name in self._paused_channels
        return not (is_paused or self._store.stopped or self._deadline.is_over())

    def _group(self, target: Channel) -> int:
        """Group messages that wait for each other; return how many digests and messages are due now."""
        with self._digest_lock:
            return digest_by_key(self._store, target)

    def _context(self, row: Row, counts: DeliveryCounter) -> ChannelContext | None:
        """Return the context for the threads of a channel, or None if its messages have to wait."""
        name: str = row["channel"]
        if row["paused"]:
            self._paused_channels.add(name)
            return None
        if not (configured := self._configured(name, counts)):
            return None
        target, rate = configured
        if target.recipients not in ([], [name]):
            self._store.expand(name, target.recipients)
        self._group(target)
        with self._digest_lock:
            digest_backlog(self._store, target, rate, limited=row["limited"])
        opener = self._open_attachment
        return ChannelContext(
            self._store, target, rate, opener, self._deadline, self._paused_channels
        )

    def _configured(self, name: str, counts: DeliveryCounter) -> tuple[Channel, Rate | None] | None:
        """Return a channel and its rate, or None after its messages were postponed with the reason."""
        try:
            target = channel(name)
            rate = rate_of(target)
        except PermanentError as error:
            counts["not_configured"] += wait_for_configuration(self._store, name, [], str(error))
            return None
        except ANY_ERROR as error:
            is_unavailable = isinstance(error, ChannelUnavailableError)
            reason = str(error) if is_unavailable else f"can't be opened: {type(error).__name__}"
            counts["retrying"] += self._postpone(name, reason)
            return None
        return target, rate

    def _postpone(self, name: str, reason: str) -> int:
        _log.warning("channel %s can't be used: %s", one_line(name, 100), one_line(reason))
        return self._store.postpone(name, [], UNAVAILABLE_SECONDS, one_line(reason), keep_old=False)


def _run_threads(context: ChannelContext) -> DeliveryCounter:
    """Send what is due in the threads of a channel."""
    threads = max(context.channel.concurrency, 1)
    with ThreadPoolExecutor(threads, thread_name_prefix="deliver") as pool:
        running = [pool.submit(ChannelThread(context).run) for _ in range(threads)]
    return sum((future.result() for future in running), DeliveryCounter())


def _renew_leases_until_done(store: DeliveryStore, running: list[Future[DeliveryCounter]]) -> None:
    """Renew the leases while the threads work; if this thread is interrupted, stop them."""
    try:
        while wait(running, timeout=RENEW_SECONDS).not_done:
            with suppress(LostConnectionError):
                store.renew()
    except BaseException:
        store.stop()
        raise
