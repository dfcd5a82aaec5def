"""Keep to the pace that a receiver takes, over all hosts: rate, pauses, digests of what piled up.

Reads the rates in the settings; reads and writes ``ops.delivery_channels``, and writes digests into the
outbox. Safe to kill: a digest and what it stands for are linked in one transaction.
"""

import re
from datetime import timedelta
from typing import NamedTuple

from analytics_worker.delivery.channels.base import Channel, Rate
from analytics_worker.delivery.digest import create_digest
from analytics_worker.delivery.retry import backoff_seconds
from analytics_worker.delivery.store import DeliveryStore
from analytics_worker.errors import PermanentError
from analytics_worker.settings import settings

DIGEST_FROM = 10
"""Messages for one recipient up to which none becomes part of a digest."""
DIGEST_WINDOW = timedelta(minutes=1)
"""What the rate does not carry in this time leaves as a digest."""
MIN_PAUSE_SECONDS = 1.0

_RATE = re.compile(r"(?P<name>[^=\s]+)\s*=\s*(?P<count>\d{1,6})\s*/\s*(?P<unit>[smhd])")
_UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}


class RateError(PermanentError):
    """DELIVERY_RATES can't be used."""


class Tokens(NamedTuple):
    """Messages that may be sent now, and how long it takes until there is another one."""

    taken: int
    wait_seconds: float


def rate_of(channel: Channel) -> Rate | None:
    """Return the pace of a channel: DELIVERY_RATES, or else what the channel says itself.

    Raises:
        RateError: an entry of DELIVERY_RATES can't be read.
    """
    rates = dict(parse_rate(entry) for entry in settings().delivery_rates if entry)
    return rates.get(channel.name, channel.rate)


def parse_rate(text: str) -> tuple[str, Rate]:
    """Read "slack=1/s".

    Raises:
        RateError: it is not a valid rate.
    """
    found = _RATE.fullmatch(text.strip())
    if not found or not int(found["count"]):
        raise RateError(
            f"DELIVERY_RATES: {text[:80]!r} is not a valid rate; expected NAME=COUNT/UNIT with unit"
            " s, m, h or d, such as slack=1/s"
        )
    return found["name"], Rate(int(found["count"]), _UNITS[found["unit"]])


def take_tokens(store: DeliveryStore, channel: str, rate: Rate, wanted: int) -> Tokens:
    """Take the right to send up to so many messages."""
    bucket = {
        "channel": channel,
        "capacity": float(rate.messages),
        "per_second": rate.messages / rate.period.total_seconds(),
        "wanted": float(wanted),
    }
    rows = store.run("take_tokens", **bucket)
    if not rows:
        store.run("open_bucket", channel=channel, capacity=float(rate.messages))
        rows = store.run("take_tokens", **bucket)
    return Tokens(**rows[0])


def return_tokens(store: DeliveryStore, channel: str, unused: int) -> None:
    """Give back what was not used."""
    if unused > 0 and not store.lost:
        store.run("return_tokens", channel=channel, unused=float(unused))


def pause(store: DeliveryStore, channel: str, seconds: float | None, reason: str | None) -> None:
    """Leave a channel alone, on all hosts; None: longer each time."""
    if seconds is None:
        rows = store.run("pauses", channel=channel)
        seconds = backoff_seconds(rows[0]["pauses"] if rows else 0)
    store.run("pause", channel=channel, seconds=max(seconds, MIN_PAUSE_SECONDS), reason=reason)


def digest_backlog(
    store: DeliveryStore, channel: Channel, rate: Rate | None, *, limited: bool
) -> None:
    """Put what the channel can't carry into one message for each recipient that names each of them.

    Args:
        store: Where the messages are.
        channel: Where they go.
        rate: What it carries.
        limited: Whether the receiver asked for a pause in the last hour.
    """
    if not channel.digestible or not (rate or limited):
        return
    threshold = digest_threshold(rate, limited=limited)
    groups = store.run(
        "digest_groups", channel=channel.name, domain=store.domain, threshold=threshold
    )
    for group in groups:
        create_digest(channel.name, group["recipient"], group["domain"])


def digest_threshold(rate: Rate | None, *, limited: bool) -> int:
    """Return how many messages for one recipient are still sent one by one."""
    if rate is None or limited:
        return DIGEST_FROM
    carried = int(rate.messages * (DIGEST_WINDOW / rate.period))
    return max(DIGEST_FROM, carried)
