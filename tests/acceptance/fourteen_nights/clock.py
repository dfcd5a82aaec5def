"""Move the clock of this process, and of all that it started, to the times of the story.

The nights have real dates, because holidays and clock changes are of dates. Ages, retries and leases are compared
with the clocks of the database, of Prefect's server and of the processes of flows and dbt. All of them are moved, and
nothing that was stored is changed.
"""

import math
import os
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

BERLIN = ZoneInfo("Europe/Berlin")


def instant(day: str, time: str) -> datetime:
    """Return a time of day in Berlin; of two that clocks show alike, the second has a ``b``."""
    local = datetime.fromisoformat(f"{day} {time.removesuffix('b')}")
    return local.replace(tzinfo=BERLIN, fold=int(time.endswith("b"))).astimezone(UTC)


class MovedClock:
    """The clock that a `ShiftedClock` has given to this process and its children."""

    def __init__(self) -> None:
        """Read by how much it is ahead."""
        self._file = Path(os.environ["CLOCK_SHIFT_FILE"])

    def move_to(self, at: datetime) -> None:
        """Move it forward to an instant."""
        ahead = math.ceil((at - datetime.now(UTC)).total_seconds())
        if ahead < 0:
            raise AssertionError(f"what came before {at} took {-ahead} s longer than the story has")
        new = self._file.with_suffix(".new")
        new.write_text(str(int(self._file.read_text()) + ahead))
        new.replace(self._file)
