"""Send the due messages of one channel in one thread: claim, send, settle, until nothing is due.

Reads and writes the outbox through `DeliveryStore`. A message is settled before the next one is sent, so
a killed sender leaves at most one message per thread with an unknown result. No transaction is open
while it sends.
"""

import functools
import hashlib
import json
import logging
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from pydantic import ValidationError

from analytics_worker.circuit_breaker import CircuitOpenError, external_circuit_breaker
from analytics_worker.delivery.attachments import (
    AttachmentOpener,
    AttachmentUnavailableError,
    OpenAttachments,
)
from analytics_worker.delivery.channels.base import Channel, Rate
from analytics_worker.delivery.counts import DeliveryCounter
from analytics_worker.delivery.deadline import Deadline
from analytics_worker.delivery.leases import ClaimedDelivery
from analytics_worker.delivery.message import Content, OutgoingMessage
from analytics_worker.delivery.outbox import storable
from analytics_worker.delivery.pacing import pause_channel, return_tokens, take_tokens
from analytics_worker.delivery.retry import NextStep, attempt, next_step
from analytics_worker.delivery.session import ANY_ERROR, ChannelSession
from analytics_worker.delivery.store import BATCH_SIZE, DeliveryStore, LostConnectionError
from analytics_worker.delivery.unconfigured import wait_for_configuration
from analytics_worker.errors import ConfigurationError, PermanentError
from analytics_worker.send_result import SendResult, one_line, permanent, temporary

_log = logging.getLogger(__name__)


class ChannelContext(NamedTuple):
    """The objects that the threads of a channel share."""

    store: DeliveryStore
    channel: Channel
    rate: Rate | None
    open_attachment: AttachmentOpener
    deadline: Deadline
    paused_channels: set[str]
    """Channels that pause, because of their rate or a request of the receiver."""


class ChannelThread:
    """One thread of a channel."""

    def __init__(self, context: ChannelContext) -> None:
        self._store = context.store
        self._channel = context.channel
        self._context = context
        self._session = ChannelSession(context.channel)
        self._attachments = OpenAttachments(context.open_attachment)
        self._contents: dict[UUID, Content | None] = {}
        self._breaker = external_circuit_breaker(breaker_name(context.channel.name))
        self._counts = DeliveryCounter()

    def run(self) -> DeliveryCounter:
        """Send until nothing is due, the channel fails, or time is up; count the results."""
        try:
            while batch := self._claim():
                self._read_contents(batch)
                if not self._send_all(batch):
                    break
        except LostConnectionError:
            _log.warning("%s: the connection to the database is lost", self._channel.name)
        finally:
            self._attachments.close()
            self._session.close()
        return self._counts

    def _claim(self) -> list[ClaimedDelivery]:
        allowed = self._allowance()
        grouped = self._channel.groups_messages
        batch = self._store.claim(self._channel.name, batch=allowed, grouped=grouped)
        if self._context.rate:
            return_tokens(self._store, self._channel.name, allowed - len(batch))
        return batch

    def _allowance(self) -> int:
        """Return how many messages may be claimed now; wait for the rate while there is time."""
        store, name = self._store, self._channel.name
        if self._context.deadline.is_over():
            return 0
        if self._context.rate is None:
            return BATCH_SIZE
        while not store.stopped and store.count_due(name):
            tokens = take_tokens(store, name, self._context.rate, BATCH_SIZE)
            if tokens.taken:
                return tokens.taken
            if not self._context.deadline.allows(tokens.wait_seconds):
                self._context.paused_channels.add(name)
                return 0
            store.wait(tokens.wait_seconds)
        return 0

    def _read_contents(self, batch: Sequence[ClaimedDelivery]) -> None:
        """Read each message once for consecutive recipients."""
        ids = {each.message_id for each in batch}
        self._contents = {key: self._contents[key] for key in ids & self._contents.keys()}
        missing = [str(key) for key in ids - self._contents.keys()]
        rows = self._store.run("contents", ids=missing) if missing else []
        self._contents |= {row["id"]: _content(row["content"]) for row in rows}

    def _send_all(self, batch: Sequence[ClaimedDelivery]) -> bool:
        """Send a batch; return whether to continue with the next one."""
        for position, claimed in enumerate(batch):
            if self._should_stop():
                self._release(batch[position:])
                return False
            if not self._store.holds(claimed):
                _log.warning("%s: the lease on a message was lost; skipped", self._channel.name)
                continue
            try:
                self._send(claimed)
            except CircuitOpenError as error:
                self._postpone(batch[position:], error)
                return False
            except ConfigurationError as error:
                self._wait_for_configuration(batch[position:], str(error))
                return False
        return True

    def _should_stop(self) -> bool:
        paused = self._channel.name in self._context.paused_channels
        return paused or self._store.stopped or self._context.deadline.is_over()

    def _release(self, remaining: Sequence[ClaimedDelivery]) -> None:
        self._store.release(remaining)
        if self._context.rate:
            return_tokens(self._store, self._channel.name, len(remaining))

    def _postpone(self, remaining: Sequence[ClaimedDelivery], error: CircuitOpenError) -> None:
        wait_seconds = max(error.retry_after, 1.0)
        reason = f"channel {self._channel.name} is unavailable (circuit open)"
        waiting = self._store.postpone(self._channel.name, remaining, wait_seconds, reason)
        self._counts["circuit_open"] += waiting

    def _wait_for_configuration(self, remaining: Sequence[ClaimedDelivery], reason: str) -> None:
        name = self._channel.name
        waiting = wait_for_configuration(self._store, name, remaining, reason)
        self._counts["not_configured"] += waiting
        if self._context.rate:
            return_tokens(self._store, name, len(remaining))

    def _send(self, claimed: ClaimedDelivery) -> None:
        """Send and settle one message.

        Raises:
            CircuitOpenError: the channel is known to be unavailable; nothing was sent.
            ConfigurationError: the configuration of this host forbids it; nothing was sent.
        """
        try:
            message = self._outgoing(claimed)
        except AttachmentUnavailableError as error:
            self._store.refuse(claimed, one_line(f"an attachment is not available: {error}"))
            self._counts["retrying"] += 1
            return
        except ANY_ERROR as error:
            result = _failure_of(error)
        else:
            result = attempt(self._breaker, functools.partial(self._session.send, message))
        if result.status == "not_configured":
            raise ConfigurationError(result.detail)
        self._settle(claimed, result)

    def _outgoing(self, claimed: ClaimedDelivery) -> OutgoingMessage:
        content = self._contents.get(claimed.message_id)
        if content is None:
            raise PermanentError("the stored message can't be read")
        files = (
            self._attachments.files(claimed.message_id, content)
            if self._channel.takes_files
            else {}
        )
        key, recipient = claimed.idempotency_key, claimed.recipient
        return OutgoingMessage(key, recipient, content, files, claimed.thread)

    def _settle(self, claimed: ClaimedDelivery, result: SendResult) -> None:
        name = self._channel.name
        step = next_step(result, claimed.attempts, claimed.age_seconds)
        if step.pause_seconds != 0:
            pause_channel(self._store, name, step.pause_seconds, step.error)
        settled = self._store.settle(name, claimed, step, _receipt(result.receipt))
        to = one_line(claimed.recipient, 100)
        if not settled.recorded:
            _log.warning("%s to %s: another sender has taken it over", name, to)
        if settled.paused:
            self._context.paused_channels.add(name)
        self._count(step, settled.members)
        if step.status != "sent":
            verb = "failed" if step.status == "failed" else "will be retried"
            _log.warning("%s to %s %s: %s", name, to, verb, step.error)

    def _count(self, step: NextStep, members: int) -> None:
        if step.status == "sent":
            self._counts["sent"] += 1
            self._counts["digested"] += members
        elif step.status == "failed":
            self._counts["failed"] += max(members, 1)
        elif step.pause_seconds == 0:
            self._counts["retrying"] += 1


def breaker_name(channel: str) -> str:
    """Return the name of a channel's circuit breaker; channels with the same host have different ones."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "-", channel)[:70]
    if plain == channel:
        return f"channel-{channel}"
    return f"channel-{plain}-{hashlib.sha256(channel.encode(errors='replace')).hexdigest()[:8]}"


def _content(stored: Mapping[str, object]) -> Content | None:
    try:
        return Content.model_validate(stored)
    except ValidationError:
        return None


def _failure_of(error: BaseException) -> SendResult:
    """Return the result for an attachment that could not be opened."""
    if isinstance(error, PermanentError | FileNotFoundError):
        return permanent(f"an attachment can't be read: {error}")
    if isinstance(error, OSError):
        return temporary(f"an attachment can't be read now: {error}")
    return temporary(f"the message can't be prepared: {type(error).__name__}")


def _receipt(receipt: Mapping[str, str]) -> str:
    return json.dumps(storable(dict(receipt)), default=str)
