"""Define the findings of `doctor`. Reads and writes nothing."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """The result of one check; one that is not ok has a fix."""

    area: str
    name: str
    level: Level
    message: str
    fix: str = ""


def graded(
    area: str, name: str, message: str, *, warn: bool = False, fail: bool = False, fix: str = ""
) -> Finding:
    """Return a finding whose level follows from two conditions, with the fix unless it is ok."""
    level: Level = "fail" if fail else "warn" if warn else "ok"
    return Finding(area, name, level, message, "" if level == "ok" else fix)


def size(number: float) -> str:
    """Format a number of bytes with its unit."""
    for unit in ("B", "kB", "MB"):
        if number < 1000:  # noqa: PLR2004  # the step between units
            return f"{number:.0f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"
