"""Send the due messages of one channel in one thread: claim, send, settle, until nothing is due.

Reads and writes the outbox through `DeliveryStore`. A message is settled before the next one is sent, so
a killed sender leaves at most one in doubt for each thread. No transaction is open while it sends.
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
    AttachmentUnavailable,
    OpenAttachments,
)
from analytics_worker.delivery.channels.base import Channel, Rate
from analytics_worker.delivery.counts import Tally
from analytics_worker.delivery.deadline import Deadline
from analytics_worker.delivery.leases import Claimed
from analytics_worker.delivery.message import Content, OutgoingMessage
from analytics_worker.delivery.outbox import storable
from analytics_worker.delivery.pacing import pause, return_tokens, take_tokens
from analytics_worker.delivery.retry import NextStep, attempt, next_step
from analytics_worker.delivery.session import ANY_ERROR, ChannelSession
from analytics_worker.delivery.store import BATCH, DeliveryStore, LostConnectionError
from analytics_worker.errors import PermanentError
from analytics_worker.send_result import SendResult, one_line, permanent, temporary

_log = logging.getLogger(__name__)


class Job(NamedTuple):
    """What the threads of a channel share."""

    store: DeliveryStore
    channel: Channel
    rate: Rate | None
    open_attachment: AttachmentOpener
    deadline: Deadline
    paced: set[str]
    """Channels that are to be left alone for a while, by this or another host."""


class ChannelThread:
    """One thread of a channel."""

    def __init__(self, job: Job) -> None:
        """Open nothing yet."""
        self._store = job.store
        self._channel = job.channel
        self._job = job
        self._session = ChannelSession(job.channel)
        self._attachments = OpenAttachments(job.open_attachment)
        self._contents: dict[UUID, Content | None] = {}
        self._breaker = external_circuit_breaker(breaker_name(job.channel.name))
        self._counts = Tally()

    def run(self) -> Tally:
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

    def _claim(self) -> list[Claimed]:
        allowed = self._allowance()
        batch = self._store.claim(self._channel.name, batch=allowed)
        if self._job.rate:
            return_tokens(self._store, self._channel.name, allowed - len(batch))
        return batch

    def _allowance(self) -> int:
        """Return how many messages may be claimed now; wait for the rate while there is time."""
        store, name = self._store, self._channel.name
        if self._job.deadline.is_over():
            return 0
        if self._job.rate is None:
            return BATCH
        while not store.stopped and store.count_due(name):
            tokens = take_tokens(store, name, self._job.rate, BATCH)
            if tokens.taken:
                return tokens.taken
            if not self._job.deadline.allows(tokens.wait_seconds):
                self._job.paced.add(name)
                return 0
            store.wait(tokens.wait_seconds)
        return 0

    def _read_contents(self, batch: Sequence[Claimed]) -> None:
        """Read each message once for all its recipients in a row."""
        wanted = {each.message_id for each in batch}
        self._contents = {key: self._contents[key] for key in wanted & self._contents.keys()}
        missing = [str(key) for key in wanted - self._contents.keys()]
        rows = self._store.run("contents", ids=missing) if missing else []
        self._contents |= {row["id"]: _content(row["content"]) for row in rows}

    def _send_all(self, batch: Sequence[Claimed]) -> bool:
        """Send a batch; return whether to go on with the next one."""
        for position, claimed in enumerate(batch):
            if self._is_to_end():
                self._give_back(batch[position:])
                return False
            if not self._store.holds(claimed):
                _log.warning("%s: the lease on a message was lost; skipped", self._channel.name)
                continue
            try:
                self._send(claimed)
            except CircuitOpenError as circuit:
                self._postpone(batch[position:], circuit)
                return False
        return True

    def _is_to_end(self) -> bool:
        paused = self._channel.name in self._job.paced
        return paused or self._store.stopped or self._job.deadline.is_over()

    def _give_back(self, rest: Sequence[Claimed]) -> None:
        self._store.release(rest)
        if self._job.rate:
            return_tokens(self._store, self._channel.name, len(rest))

    def _postpone(self, rest: Sequence[Claimed], circuit: CircuitOpenError) -> None:
        wait_seconds = max(circuit.retry_after, 1.0)
        reason = f"channel {self._channel.name} is unavailable (circuit open)"
        waiting = self._store.postpone(self._channel.name, rest, wait_seconds, reason)
        self._counts["circuit_open"] += waiting

    def _send(self, claimed: Claimed) -> None:
        try:
            message = self._outgoing(claimed)
        except AttachmentUnavailable as error:
            self._store.refuse(claimed, one_line(f"an attachment is not available: {error}"))
            self._counts["retrying"] += 1
            return
        except ANY_ERROR as error:
            result = _failure_of(error)
        else:
            result = attempt(self._breaker, functools.partial(self._session.send, message))
        self._settle(claimed, result)

    def _outgoing(self, claimed: Claimed) -> OutgoingMessage:
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

    def _settle(self, claimed: Claimed, result: SendResult) -> None:
        name = self._channel.name
        step = next_step(result, claimed.attempts, claimed.age_seconds)
        if step.pause_seconds != 0:
            pause(self._store, name, step.pause_seconds, step.error)
        settled = self._store.settle(name, claimed, step, _receipt(result.receipt))
        to = one_line(claimed.recipient, 100)
        if not settled.ours:
            _log.warning("%s to %s: another sender has taken it over", name, to)
        if settled.paused:
            self._job.paced.add(name)
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
    """Name the circuit breaker of a channel; one for each channel, whatever host it shares."""
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
    """Return what follows from an attachment that could not be opened."""
    if isinstance(error, PermanentError | FileNotFoundError):
        return permanent(f"an attachment can't be read: {error}")
    if isinstance(error, OSError):
        return temporary(f"an attachment can't be read now: {error}")
    return temporary(f"the message can't be prepared: {type(error).__name__}")


def _receipt(receipt: Mapping[str, str]) -> str:
    return json.dumps(storable(dict(receipt)), default=str)
