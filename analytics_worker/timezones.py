"""Write times for readers, in their time zone, which is always named.

Reads nothing, writes nothing.
"""

import re
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator

UTC = "UTC"


def _checked_timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            f"{name!r} is not a valid time zone; expected an IANA name such as Europe/Paris or UTC"
        ) from None
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
