"""Apply the ``columns`` of a report to the columns that its query has.

Reads nothing, writes nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from analytics_worker.definitions.validation_messages import did_you_mean
from analytics_worker.text import one_line
from flows.reports.formats.query.column_options import ColumnOptions
from flows.reports.formats.query.columns import DAYS, NUMBERS, Column
from flows.reports.formats.registry import FormatError


def with_options(
    title: str, columns: Sequence[Column], options: Mapping[str, ColumnOptions]
) -> tuple[Column, ...]:
    """Return the columns with their options.

    Raises:
        FormatError: a name is not a column of the query, or an option does not fit its type.
    """
    mistakes = list(_unknown(columns, options))
    found = tuple(replace(c, options=options.get(c.name, c.options)) for c in columns)
    mistakes += [mistake for column in found for mistake in _misfits(column)]
    if all(column.options.hidden for column in found):
        mistakes.append("all columns are hidden; show at least one")
    if mistakes:
        raise FormatError(f"{title}: columns: {'; '.join(mistakes)}")
    return found


def _unknown(columns: Sequence[Column], options: Mapping[str, ColumnOptions]) -> Iterator[str]:
    names = [column.name for column in columns]
    for name in options:
        if name not in names:
            yield one_line(f"the query has no column {name!r}{did_you_mean(name, names)}")


def _misfits(column: Column) -> Iterator[str]:
    kind, options = column.kind, column.options
    if kind not in DAYS and options.date:
        yield f"date of {column.name!r} is for days and times; its type is {kind.value}"
    if kind in NUMBERS:
        return
    for name in ("unit", "decimals", "percent", "total"):
        if getattr(options, name) not in ("", None, False):
            yield (
                f"{name} of {column.name!r} is for numbers; its type is"
                f" {'interval' if column.is_interval else kind.value}:"
                f" {number_remedy(column)}, or remove it"
            )


def number_remedy(column: Column) -> str:
    """Return how the SQL makes numbers of a column."""
    if column.is_interval:
        return "make it seconds with extract(epoch from …)"
    return "cast it to numeric"
