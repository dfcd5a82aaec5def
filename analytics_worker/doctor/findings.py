"""What an examination finds, one line each. Reads and writes nothing."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """One line; what is not ok says what to do about it."""

    area: str
    name: str
    level: Level
    message: str
    fix: str = ""


def judged(
    area: str, name: str, message: str, *, warn: bool = False, fail: bool = False, fix: str = ""
) -> Finding:
    """A finding whose level follows from two conditions; the fix is shown only if one holds."""
    level: Level = "fail" if fail else "warn" if warn else "ok"
    return Finding(area, name, level, message, "" if level == "ok" else fix)


def size(number: float) -> str:
    """Bytes as people read them."""
    for unit in ("B", "kB", "MB"):
        if number < 1000:  # noqa: PLR2004  # the step between units
            return f"{number:.0f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"
