"""Define what a sender counts. Reads nothing, writes nothing."""

from collections import Counter
from typing import Literal, TypedDict

Count = Literal[
    "sent",
    "failed",
    "retrying",
    "circuit_open",
    "paused",
    "not_configured",
    "digested",
    "unheard",
]
Tally = Counter[Count]


class DeliveryCounts(TypedDict):
    """Messages that were due, by what happened to them."""

    sent: int
    failed: int
    """Given up; the owner is notified."""
    retrying: int
    """To be retried."""
    circuit_open: int
    """Not tried, because the channel is known to be unavailable."""
    paused: int
    """Waiting for a channel whose receiver asked for a pause, or whose rate is used up."""
    not_configured: int
    """Waiting for somebody to configure the channel."""
    digested: int
    """Named by a digest that was sent in their place."""
    unheard: int
    """Given up, and there was nobody left to notify."""


_TEXTS: dict[Count, str] = {
    "sent": "sent",
    "digested": "sent in a digest",
    "failed": "given up",
    "retrying": "will be retried",
    "circuit_open": "waiting for an unavailable channel",
    "paused": "waiting for the rate of a channel",
    "not_configured": "waiting for configuration",
    "unheard": "given up without anybody left to notify",
}


def counts_text(counts: DeliveryCounts) -> str:
    """Return the counts as words: "2 sent, 3 will be retried"; empty if nothing was due."""
    return ", ".join(f"{counts[name]} {text}" for name, text in _TEXTS.items() if counts[name])


def delivery_counts(tally: Tally) -> DeliveryCounts:
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
