"""Define the counts of a sender. Reads nothing, writes nothing."""

from collections import Counter
from typing import Literal, TypedDict

CountName = Literal[
    "sent",
    "failed",
    "retrying",
    "circuit_open",
    "paused",
    "not_configured",
    "digested",
    "unheard",
]
DeliveryCounter = Counter[CountName]


class DeliveryCounts(TypedDict):
    """Messages that were due, by their result."""

    sent: int
    failed: int
    """Failed permanently; the owner is notified."""
    retrying: int
    """To be retried."""
    circuit_open: int
    """Not tried, because the channel is known to be unavailable."""
    paused: int
    """Waiting for a channel whose receiver requested a pause, or whose rate is used up."""
    not_configured: int
    """Waiting until the channel is configured."""
    digested: int
    """Listed in a digest that was sent instead."""
    unheard: int
    """Failed, and there was no recipient left to notify of it."""


_TEXTS: dict[CountName, str] = {
    "sent": "sent",
    "digested": "sent in a digest",
    "failed": "failed",
    "retrying": "will be retried",
    "circuit_open": "waiting for an unavailable channel",
    "paused": "waiting for the rate of a channel",
    "not_configured": "waiting for configuration",
    "unheard": "failed with no recipient left to notify",
}


def counts_text(counts: DeliveryCounts) -> str:
    """Return the counts as text: "2 sent, 3 will be retried"; empty if nothing was due."""
    return ", ".join(f"{counts[name]} {text}" for name, text in _TEXTS.items() if counts[name])


def delivery_counts(tally: DeliveryCounter) -> DeliveryCounts:
    """Return the counts as a plain object."""
    return DeliveryCounts(
        sent=tally["sent"],
        failed=tally["failed"],
        retrying=tally["retrying"],
        circuit_open=tally["circuit_open"],
        paused=tally["paused"],
        not_configured=tally["not_configured"],
        digested=tally["digested"],
        unheard=tally["unheard"],
    )
