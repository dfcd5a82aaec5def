"""From the rows of a rule's SQL to one number, or to one number per key.

Reads nothing, writes nothing. What is not there (no row, NULL, NaN) is None and never 0; infinity
is a number; text that reads like a number is one; an interval counts its seconds.
"""

import json
import math
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from analytics_worker.database.reader_sessions import QueryRows
from analytics_worker.definitions.yaml_definitions import did_you_mean
from analytics_worker.errors import PermanentError
from analytics_worker.text import value_line
from flows.alerts.rules.model import Reduce, Rule

NO_KEY = ""
Readings = dict[str, float | None]
"""Reading by key; of a rule without keys, just that of `NO_KEY`."""

_NUMERAL = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*")
_WORDS = {"infinity": math.inf, "inf": math.inf, "-infinity": -math.inf, "-inf": -math.inf}


class ReadingError(PermanentError):
    """The rows don't fit the rule; says what to change."""


def readings(rule: Rule, table: QueryRows) -> Readings:
    """The reading of the rule, or of each of its keys.

    Raises:
        ReadingError: a column is missing, a value is no number, or rows are ambiguous.
    """
    if not rule.key_columns:
        return {NO_KEY: _one(rule, table, table.rows, "")}
    places = [_place(column, table) for column in rule.key_columns]
    groups: dict[str, list[tuple[Any, ...]]] = {}
    for row in table.rows:
        groups.setdefault(_key(row[place] for place in places), []).append(row)
    return {key: _one(rule, table, rows, f" for key {label(key)}") for key, rows in groups.items()}


def _one(rule: Rule, table: QueryRows, rows: Sequence[tuple[Any, ...]], whose: str) -> float | None:
    if rule.measure == "rows":
        return float(len(rows))
    place = _value_place(rule, table)
    if rule.reduce is None and len(rows) > 1:
        raise ReadingError(
            f"{len(rows)} rows{whose}, but one value is needed: add reduce (first, min, max, sum or"
            " count), or key_columns for one state per key"
        )
    column = table.columns[place]
    if rule.reduce == "count":
        return float(sum(row[place] is not None for row in rows))
    values = [number(row[place], column) for row in rows]
    return _reduced(rule.reduce or "first", values)


def _reduced(reduce: Reduce, values: list[float | None]) -> float | None:
    """As SQL's aggregates: what is not there is left out."""
    if reduce == "first":
        return values[0] if values else None
    known = [value for value in values if value is not None]
    if not known:
        return None
    aggregates: dict[str, Callable[[list[float]], float]] = {"min": min, "max": max, "sum": sum}
    total = aggregates[reduce](known)
    return None if math.isnan(total) else total  # inf - inf


def _value_place(rule: Rule, table: QueryRows) -> int:
    if rule.value is not None:
        return _place(rule.value, table)
    free = [place for place, c in enumerate(table.columns) if c not in rule.key_columns]
    if len(free) == 1 or (free and table.columns[free[0]] == "value"):
        return free[0]
    if "value" in table.columns:
        return table.columns.index("value")
    raise ReadingError(
        f"which column is the value? Write value: with one of {', '.join(table.columns)}"
    )


def _place(column: str, table: QueryRows) -> int:
    if column in table.columns:
        return table.columns.index(column)
    raise ReadingError(f"the SQL returns no column {column!r}{did_you_mean(column, table.columns)}")


def _key(values: Any) -> str:
    return json.dumps([None if v is None else str(v) for v in values], ensure_ascii=False)


def label(key: str) -> str:
    """A key as people read it: its values, separated by slashes, in one line."""
    return value_line(exact_label(key))


def exact_label(key: str) -> str:
    """A key as programs read it: its values, whatever they hold, separated by slashes."""
    return " / ".join("(none)" if v is None else v for v in json.loads(key)) if key else ""


def group_of(rule: Rule, key: str) -> str:
    """The group whose message a key belongs to; all keys of a rule, unless it has group_by."""
    if not rule.group_by or not key:
        return NO_KEY
    values = dict(zip(rule.key_columns, json.loads(key), strict=False))
    return json.dumps([values.get(column) for column in rule.group_by], ensure_ascii=False)


def number(value: Any, column: str) -> float | None:
    """The value as a number; None for NULL and NaN.

    Raises:
        ReadingError: it is neither a number nor reads like one.
    """
    match value:
        case None:
            return None
        case bool() | int() | float() | Decimal():
            converted = _float(value)
        case timedelta():
            converted = value.total_seconds()
        case str():
            converted = _from_text(value, column)
        case _:
            raise ReadingError(
                f"column {column!r} is a {type(value).__name__}, not a number: {value!s:.40}"
            )
    return None if math.isnan(converted) else converted


def _float(value: float | Decimal) -> float:
    try:
        return float(value)
    except OverflowError:  # an integer beyond the range of double precision
        return math.inf if value > 0 else -math.inf


def _from_text(text: str, column: str) -> float:
    if _NUMERAL.fullmatch(text):
        return float(text)
    word = text.strip().lower()
    if word == "nan":
        return math.nan
    if word in _WORDS:
        return _WORDS[word]
    raise ReadingError(f"column {column!r} is text that is no number: {text!r:.40}")
