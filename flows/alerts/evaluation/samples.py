"""Extract the sample of a rule, or one sample per key, from the rows of its SQL.

Reads nothing, writes nothing. Missing data (no row, NULL, NaN) is None and never 0. Infinity is a
number. Numbers have all digits that the server prints. Text that contains a number is converted. An interval is converted to seconds. Keys are the text
that the server prints.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

from analytics_worker.database.query_rows import QueryRows
from analytics_worker.database.server_values import display_text, number_of
from analytics_worker.definitions.yaml_definitions import did_you_mean
from analytics_worker.errors import PermanentError
from analytics_worker.presentation.exact_numbers import total
from analytics_worker.text import contains_hash, shorten_with_hash, value_line
from flows.alerts.rules.model import Reduce, Rule

NO_KEY = ""
MAX_KEY_BYTES = 2000
MAX_SHORTENED_CHARACTERS = 400
MIN_VALUE_CHARACTERS = 50
Row = tuple[str | None, ...]
Samples = dict[str, Decimal | None]
"""Sample by key; a rule without keys has one sample under `NO_KEY`."""


class SampleError(PermanentError):
    """The rows do not fit the rule; the message names the fix."""


def extract_samples(rule: Rule, table: QueryRows) -> Samples:
    """Return the sample of the rule, or of each of its keys.

    Raises:
        SampleError: a column is missing, a value is not a number, or a key has several rows.
    """
    if not rule.key_columns:
        return {NO_KEY: _sample(rule, table, table.rows, "")}
    positions = [_position(column, table) for column in rule.key_columns]
    groups: dict[str, list[Row]] = {}
    for row in table.rows:
        groups.setdefault(_encode_key(_key_texts(table, row, positions)), []).append(row)
    return {
        key: _sample(rule, table, rows, f" for key {key_label(key)}")
        for key, rows in groups.items()
    }


def _sample(rule: Rule, table: QueryRows, rows: Sequence[Row], suffix: str) -> Decimal | None:
    if rule.measure == "rows":
        return Decimal(len(rows))
    position = _value_position(rule, table)
    if rule.reduce is None and len(rows) > 1:
        raise SampleError(
            f"{len(rows)} rows{suffix}; expected one: add reduce (first, min, max, sum or"
            " count), or key_columns for one state per key"
        )
    column = table.columns[position]
    if rule.reduce == "count":
        return Decimal(sum(row[position] is not None for row in rows))
    values = [to_number(row[position], column, table.types[position]) for row in rows]
    return _reduce(rule.reduce or "first", values)


def _reduce(reduce: Reduce, values: list[Decimal | None]) -> Decimal | None:
    """Aggregate the values like SQL: missing values are ignored."""
    if reduce == "first":
        return values[0] if values else None
    known = [value for value in values if value is not None]
    if not known:
        return None
    aggregates: dict[str, Callable[[list[Decimal]], Decimal]] = {
        "min": min,
        "max": max,
        "sum": total,
    }
    result = aggregates[reduce](known)
    return None if result.is_nan() else result  # inf - inf


def _value_position(rule: Rule, table: QueryRows) -> int:
    if rule.value is not None:
        return _position(rule.value, table)
    candidates = [
        position for position, column in enumerate(table.columns) if column not in rule.key_columns
    ]
    if len(candidates) == 1 or (candidates and table.columns[candidates[0]] == "value"):
        return candidates[0]
    if "value" in table.columns:
        return table.columns.index("value")
    if not table.columns:
        raise SampleError("the query returns no columns; expected one with the value")
    if not candidates:
        raise SampleError("the query returns only the key columns; expected one with the value")
    raise SampleError(
        f"the value column is ambiguous; set value to one of {', '.join(table.columns)}"
    )


def _position(column: str, table: QueryRows) -> int:
    if column in table.columns:
        return table.columns.index(column)
    if not table.columns:
        raise SampleError(f"the query returns no columns; expected {column!r}")
    raise SampleError(f"the SQL returns no column {column!r}{did_you_mean(column, table.columns)}")


def _key_texts(table: QueryRows, row: Row, positions: Iterable[int]) -> list[str | None]:
    values = ((row[position], table.types[position]) for position in positions)
    return [None if value is None else display_text(value, oid) for value, oid in values]


def _encode_key(texts: Sequence[str | None]) -> str:
    """Return the key as a JSON list of texts.

    The database identifies a state by its key and takes no key longer than an index entry. In a key
    longer than that, long values are cut and end with a hash, so that different keys stay different.
    """
    key = json.dumps(texts, ensure_ascii=False)
    if len(key.encode()) <= MAX_KEY_BYTES and not contains_hash(key):
        return key
    limit = max(MIN_VALUE_CHARACTERS, MAX_SHORTENED_CHARACTERS // len(texts))
    return json.dumps([text and _shorten(text, limit) for text in texts], ensure_ascii=False)


def _shorten(text: str, limit: int) -> str:
    is_short = len(text) <= limit and not contains_hash(text)
    return text if is_short else shorten_with_hash(text, limit)


def key_label(key: str) -> str:
    """Return the values of a key for display: separated by slashes, in one line."""
    return value_line(exact_key_label(key))


def exact_key_label(key: str) -> str:
    """Return the values of a key for programs: unchanged, separated by slashes."""
    return " / ".join("(none)" if v is None else v for v in json.loads(key)) if key else ""


def group_of(rule: Rule, key: str) -> str:
    """Return the group of a key: its ``group_by`` values, or one group for all keys of a rule."""
    if not rule.group_by or not key:
        return NO_KEY
    values = dict(zip(rule.key_columns, json.loads(key), strict=False))
    return json.dumps([values.get(column) for column in rule.group_by], ensure_ascii=False)


def to_number(value: str | None, column: str, type_oid: int) -> Decimal | None:
    """Return a value as a number; NULL and NaN become None.

    Raises:
        SampleError: the value is neither a number nor text that contains one.
    """
    if value is None:
        return None
    try:
        number = number_of(value, type_oid)
    except ValueError as error:
        raise SampleError(f"column {column!r}: {error}") from None
    return None if number.is_nan() else number
