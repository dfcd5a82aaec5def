"""Build a `Channel` from the parts that all channel modules share.

Reads the setting for the concurrency of a channel; opens nothing.
"""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

from analytics_worker.delivery.channels.base import Channel, Rate, Sender
from analytics_worker.errors import PermanentError
from analytics_worker.settings import settings

_RATE = re.compile(r"([1-9]\d{0,5})/(\d{0,4})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def http_channel(
    name: str,
    kind: str,
    target: str,
    session: Callable[[], AbstractContextManager[Sender]],
    rate: str | None = None,
    *,
    check: Callable[[], None] = lambda: None,
) -> Channel:
    """Return a channel that sends over HTTP and whose only recipient is the channel itself."""
    return Channel(
        name=name,
        kind=kind,
        target=target,
        recipients=[name],
        session=session,
        concurrency=settings().alert_delivery_posters,
        rate=parse_rate(rate),
        check_target=check,
    )


def parse_rate(text: str | None) -> Rate | None:
    """Parse a rate such as ``30/1m``, ``30/m`` or ``1/2s``.

    Raises:
        PermanentError: it is not a valid rate.
    """
    if not text:
        return None
    match = _RATE.fullmatch(text)
    if match is None or match[2] == "0":
        raise PermanentError(f"{text!r} is not a valid rate; expected messages/period, e.g. 30/1m")
    period = timedelta(**{_UNITS[match[3]]: int(match[2] or 1)})
    return Rate(int(match[1]), period)
