"""Limit the rate of a channel over all hosts: token bucket, pauses, and digests of a backlog.

Reads the rates in the settings; reads and writes ``ops.delivery_channels``, and writes digests into the
outbox. Safe to kill: a digest and the messages that it replaces are linked in one transaction.
"""

import re
from datetime import timedelta
from typing import NamedTuple

from analytics_worker.delivery.channels.base import Channel, Rate
from analytics_worker.delivery.digest import Group, create_digest
from analytics_worker.delivery.retry import backoff_seconds
from analytics_worker.delivery.store import DeliveryStore
from analytics_worker.errors import PermanentError
from analytics_worker.settings import settings

DIGEST_FROM = 10
"""Up to this number of messages for one recipient, all are sent one by one."""
DIGEST_WINDOW = timedelta(minutes=1)
"""Messages that the rate does not allow within this time are replaced by a digest."""
MIN_PAUSE_SECONDS = 1.0

_RATE = re.compile(r"(?P<name>[^=\s]+)\s*=\s*(?P<count>\d{1,6})\s*/\s*(?P<unit>[smhd])")
_UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}


class RateError(PermanentError):
    """An entry of DELIVERY_RATES is not a valid rate."""


class Tokens(NamedTuple):
    """How many messages may be sent now, and the time until the next token."""

    taken: int
    wait_seconds: float


def rate_of(channel: Channel) -> Rate | None:
    """Return the rate of a channel: that of DELIVERY_RATES, else that of the channel itself.

    Raises:
        RateError: an entry of DELIVERY_RATES is not a valid rate.
    """
    rates = dict(parse_channel_rate(entry) for entry in settings().delivery_rates if entry)
    return rates.get(channel.name, channel.rate)


def parse_channel_rate(text: str) -> tuple[str, Rate]:
    """Parse an entry such as "slack=1/s".

    Raises:
        RateError: it is not a valid rate.
    """
    match = _RATE.fullmatch(text.strip())
    if not match or not int(match["count"]):
        raise RateError(
            f"DELIVERY_RATES: {text[:80]!r} is not a valid rate; expected NAME=COUNT/UNIT with unit"
            " s, m, h or d, such as slack=1/s"
        )
    return match["name"], Rate(int(match["count"]), _UNITS[match["unit"]])


def take_tokens(store: DeliveryStore, channel: str, rate: Rate, requested: int) -> Tokens:
    """Take tokens for up to so many messages."""
    bucket = {
        "channel": channel,
        "capacity": float(rate.messages),
        "per_second": rate.messages / rate.period.total_seconds(),
        "requested": float(requested),
    }
    rows = store.run("take_tokens", **bucket)
    if not rows:
        store.run("open_bucket", channel=channel, capacity=float(rate.messages))
        rows = store.run("take_tokens", **bucket)
    return Tokens(**rows[0])


def return_tokens(store: DeliveryStore, channel: str, unused: int) -> None:
    """Return unused tokens."""
    if unused > 0 and not store.connection_lost:
        store.run("return_tokens", channel=channel, unused=float(unused))


def pause_channel(
    store: DeliveryStore, channel: str, seconds: float | None, reason: str | None
) -> None:
    """Pause a channel on all hosts; None: with a longer pause each time."""
    if seconds is None:
        rows = store.run("pauses", channel=channel)
        seconds = backoff_seconds(rows[0]["pauses"] if rows else 0)
    store.run("pause", channel=channel, seconds=max(seconds, MIN_PAUSE_SECONDS), reason=reason)


def digest_backlog(
    store: DeliveryStore, channel: Channel, rate: Rate | None, *, limited: bool
) -> None:
    """Replace the messages beyond the rate of a channel by one digest for each recipient.

    Args:
        store: The store of the deliveries.
        channel: Their channel.
        rate: Its rate.
        limited: Whether the receiver requested a pause in the last hour.
    """
    if not channel.digestible or not (rate or limited):
        return
    threshold = digest_threshold(rate, limited=limited)
    groups = store.run(
        "digest_groups", channel=channel.name, domain=store.domain, threshold=threshold
    )
    for group in groups:
        create_digest(channel.name, group["recipient"], group["domain"])


def digest_by_key(store: DeliveryStore, channel: Channel) -> int:
    """Replace messages with the same digest key by one digest for each recipient.

    Only after that may they be sent, so that those of one transaction are never sent one by one.
    Returns how many digests and single messages may be sent now.
    """
    if not channel.groups_messages:
        return 0
    digests, single = 0, list[str]()
    for group in store.run("digest_candidates", channel=channel.name, domain=store.domain):
        if len(group["ids"]) == 1:
            single += group["ids"]
        else:
            digests += bool(
                create_digest(
                    channel.name,
                    group["recipient"],
                    group["domain"],
                    Group(group["digest_key"], group["ids"]),
                )
            )
    return digests + (len(store.run("release_group", ids=single)) if single else 0)


def digest_threshold(rate: Rate | None, *, limited: bool) -> int:
    """Return up to how many messages for one recipient are sent one by one."""
    if rate is None or limited:
        return DIGEST_FROM
    allowed = int(rate.messages * (DIGEST_WINDOW / rate.period))
    return max(DIGEST_FROM, allowed)
