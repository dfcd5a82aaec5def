"""Track which deliveries this sender has claimed, and until when it may send them.

Reads nothing, writes nothing.
"""

import time
from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

LEASE_SECONDS = 300.0
LEASE_MARGIN_SECONDS = 30.0


class ClaimedDelivery(NamedTuple):
    """A delivery that this sender has claimed."""

    id: UUID
    message_id: UUID
    recipient: str
    idempotency_key: str
    attempts: int
    age_seconds: float
    thread: dict[str, str]


class Settlement(NamedTuple):
    """The result of settling a delivery.

    Attributes:
        recorded: Whether it was recorded; False: another sender has the delivery.
        members: How many deliveries the digest replaced.
        paused: Whether the channel is paused now, by this or another host.
    """

    recorded: bool
    members: int
    paused: bool


class Leases:
    """The claimed deliveries of a sender; all leases end together because all are renewed together."""

    def __init__(self) -> None:
        self._held: set[UUID] = set()
        self._end = 0.0

    def add(self, ids: Iterable[UUID], *, since: float) -> None:
        """Add deliveries that were claimed at that time."""
        self._end = min(self._end, since + LEASE_SECONDS) if self._held else since + LEASE_SECONDS
        self._held |= set(ids)

    def drop(self, ids: Iterable[UUID]) -> None:
        """Remove deliveries."""
        self._held -= set(ids)

    def keep(self, ids: Iterable[UUID], *, since: float) -> None:
        """Keep only the deliveries whose lease was renewed at that time."""
        self._held &= set(ids)
        self._end = since + LEASE_SECONDS

    def cover(self, delivery: UUID) -> bool:
        """Whether the lease of a delivery lasts long enough to send it."""
        return delivery in self._held and time.time() < self._end - LEASE_MARGIN_SECONDS
