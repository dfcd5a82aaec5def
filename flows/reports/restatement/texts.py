"""The texts of changes for readers: ``Won: 1,000 EUR → 1,200 EUR``.

Reads nothing, writes nothing. Titles and labels are from data: each is one line without control characters.
"""

from decimal import Decimal

from analytics_worker.presentation.exact_numbers import MAX_SHOWN_DIGITS, exact_text, short_text
from analytics_worker.presentation.numbers import number_text, with_unit
from analytics_worker.text import value_line
from flows.reports.formats.pages.cell_text import EMPTY_CELL
from flows.reports.restatement.comparison import ROWS, Change

MAX_LABEL = 80


def change_text(change: Change) -> str:
    """Return a change in one line."""
    name = value_line(change.title, MAX_LABEL)
    if change.part == "chart":
        name = f"{name}, {value_line(change.label, MAX_LABEL)}"
    return value_line(f"{name}: {numbers_text(change)}")


def numbers_text(change: Change) -> str:
    """Return both numbers of a change; of a table without other rows, that its content is different."""
    if change.part == "table" and change.label != ROWS:
        return "other values in the same number of rows"
    rounded = [_shown(change, each) for each in (change.before, change.after)]
    exact = [_exact(change, each) for each in (change.before, change.after)]
    before, after = exact if rounded[0] == rounded[1] else rounded
    return f"{before} → {after}"


def _shown(change: Change, number: str | None) -> str:
    """Return a number as its tile shows it; of a chart with six digits."""
    if number is None:
        return EMPTY_CELL
    value = Decimal(number)
    if change.part == "table":
        return f"{int(value):,} {'row' if value == 1 else 'rows'}"
    if change.part == "chart":
        return with_unit(short_text(value), change.unit)
    if value.is_finite() and value.adjusted() >= MAX_SHOWN_DIGITS:
        return _exact(change, number)
    return number_text(value, change.decimals, change.unit)


def _exact(change: Change, number: str | None) -> str:
    return EMPTY_CELL if number is None else with_unit(exact_text(Decimal(number)), change.unit)
