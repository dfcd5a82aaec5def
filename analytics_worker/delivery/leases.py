"""Track which deliveries this sender has claimed, and until when it may send them.

Reads nothing, writes nothing.
"""

import time
from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

LEASE_SECONDS = 300.0
LEASE_MARGIN_SECONDS = 30.0


class Claimed(NamedTuple):
    """A delivery that is this sender's to send."""

    id: UUID
    message_id: UUID
    recipient: str
    idempotency_key: str
    attempts: int
    age_seconds: float
    thread: dict[str, str]


class Settled(NamedTuple):
    """How a settlement ended.

    Attributes:
        ours: Whether it was recorded; False: another sender has the delivery.
        members: Deliveries that the digest stood for.
        paused: Whether the channel is paused now, by whichever host.
    """

    ours: bool
    members: int
    paused: bool


class Leases:
    """The claimed deliveries of a sender; all leases end together because all are renewed together."""

    def __init__(self) -> None:
        """Hold nothing."""
        self._held: set[UUID] = set()
        self._end = 0.0

    def add(self, ids: Iterable[UUID], *, since: float) -> None:
        """Hold deliveries that were claimed at that time."""
        self._end = min(self._end, since + LEASE_SECONDS) if self._held else since + LEASE_SECONDS
        self._held |= set(ids)

    def drop(self, ids: Iterable[UUID]) -> None:
        """Hold these no longer."""
        self._held -= set(ids)

    def keep(self, ids: Iterable[UUID], *, since: float) -> None:
        """Hold only those whose lease was renewed at that time."""
        self._held &= set(ids)
        self._end = since + LEASE_SECONDS

    def cover(self, delivery: UUID) -> bool:
        """Whether a delivery is held, for long enough to send it."""
        return delivery in self._held and time.time() < self._end - LEASE_MARGIN_SECONDS
