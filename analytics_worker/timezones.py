"""Write times for readers, in their time zone, which is always named.

Reads nothing, writes nothing.
"""

import re
from datetime import datetime
from functools import cache
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator

UTC = "UTC"


_NOT_IN_POSTGRESQL = frozenset({"localtime", "posixrules", "Factory"})
"""Files beside those of the IANA zones: of the host's own zone, and of none."""


@cache
def _zone_names() -> frozenset[str]:
    """Return the names that both Python and PostgreSQL know, without the copies in posix/ and right/."""
    return frozenset(available_timezones() - _NOT_IN_POSTGRESQL)


def _checked_timezone(name: str) -> str:
    """Return the name of an IANA zone.

    Raises:
        ValueError: it is not one.
    """
    if name not in _zone_names():
        raise ValueError(
            f"{name!r} is not a valid time zone; expected an IANA name such as Europe/Paris or UTC"
        )
    return name


Timezone = Annotated[str, AfterValidator(_checked_timezone)]


def time_text(at: datetime, timezone: str) -> str:
    """Return ``2026-03-01 12:00:00 UTC``, or ``2026-03-01 13:00:00 CET (Europe/Berlin)``.

    Where a zone has no abbreviation, the offset stands in its place.
    """
    local = at.astimezone(ZoneInfo(timezone))
    text = f"{local:%Y-%m-%d %H:%M:%S}"
    if timezone == UTC:
        return f"{text} {UTC}"
    abbreviation = local.tzname() or ""
    if not re.fullmatch(r"[A-Za-z]+", abbreviation):
        abbreviation = f"UTC{local.isoformat()[-6:]}" if local.utcoffset() else UTC
    return f"{text} {abbreviation} ({timezone})"
