"""How measurements are shown: one table that reads well in a terminal and as Markdown."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_TIMES = "\N{MULTIPLICATION SIGN}"
_GOAL = re.compile(r"(?P<sign>≤|<=|≥) ?(?P<limit>\d+(\.\d+)?) ?(?P<unit>.+)")
_HEADER = ("what", "worker", "against", "other", "ratio", "goal", "")


@dataclass(frozen=True)
class Row:
    """One measurement beside what it is compared with.

    ``goal`` is empty, a ratio ("≤ 0.6x") or a value in the row's own unit ("≤ 50 ms", "≥ 100 %").
    """

    name: str
    ours: float
    unit: str
    against: str = ""
    other: float | None = None
    goal: str = ""

    @property
    def ratio(self) -> float | None:
        """The worker's value as a multiple of the other; below 1 is better."""
        return self.ours / self.other if self.other else None

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None without a goal."""
        if not self.goal:
            return None
        goal = _GOAL.fullmatch(self.goal)
        measured = self._by_unit().get(goal["unit"]) if goal else None
        if goal is None or measured is None:
            raise ValueError(
                f"goal {self.goal!r} of {self.name!r} cannot be compared: write '≤ 0.6x' beside "
                f"something to compare with, or '≤ 50 {self.unit}'"
            )
        limit = float(goal["limit"])
        return measured >= limit if goal["sign"] == "≥" else measured <= limit

    def _by_unit(self) -> dict[str, float | None]:
        return {self.unit: self.ours, "x": self.ratio, _TIMES: self.ratio}


def render(rows: Iterable[Row]) -> str:
    """A Markdown table with aligned columns."""
    lines = [_HEADER, *map(_cells, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADER))]
    rule = tuple("-" * width for width in widths)
    return "\n".join(_line(line, widths) for line in (lines[0], rule, *lines[1:]))


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.name,
        f"{_number(row.ours)} {row.unit}",
        row.against,
        "" if row.other is None else f"{_number(row.other)} {row.unit}",
        "" if row.ratio is None else f"{_number(row.ratio)}{_TIMES}",
        row.goal,
        {True: "✓", False: "✗", None: ""}[row.met],
    )


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |"


def _number(value: float) -> str:
    if value >= 100:  # noqa: PLR2004  # three digits are enough
        return f"{value:,.0f}"
    return f"{value:.3g}"
