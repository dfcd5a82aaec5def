"""From rows to numbers: what is a value, what is nothing, and what is a mistake."""

import math
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from analytics_worker.database.reader_sessions import QueryRows
from flows.alerts.evaluation.samples import ReadingError, group_of, label, readings
from flows.alerts.rules.model import Rule


def read(rows: list[tuple[Any, ...]], columns: tuple[str, ...] = ("value",), **fields: Any):
    rule = Rule.model_validate({"name": "r", "operator": ">", "threshold": 0, **fields})
    return readings(rule, QueryRows(columns, rows))


@pytest.mark.parametrize(
    ("value", "number"),
    [(5, 5), (True, 1), (Decimal("12.5"), 12.5), (" 12.5 ", 12.5), ("-1e3", -1000), ("Infinity", math.inf), (Decimal("Infinity"), math.inf), (-math.inf, -math.inf), (10**400, math.inf), (timedelta(minutes=2), 120), (None, None), (math.nan, None), (Decimal("NaN"), None), ("nan", None)],
)  # fmt: skip
def test_what_a_value_is(value, number):
    assert read([(value,)]) == {"": number}


@pytest.mark.parametrize("value", ["abc", "", "1_000", "12 apples", "0x10", date(2026, 1, 1), [1]])
def test_what_is_no_number_is_an_error(value):
    with pytest.raises(ReadingError, match="'value'"):
        read([(value,)])


def test_no_row_is_nothing_unless_rows_are_counted():
    assert read([]) == {"": None}
    assert read([], measure="rows") == {"": 0.0}
    assert read([], reduce="count") == {"": 0.0}


def test_several_rows_need_a_decision_and_the_error_names_both_ways():
    with pytest.raises(ReadingError, match=r"2 rows.*reduce \(first, min.*key_columns"):
        read([(1,), (2,)])


@pytest.mark.parametrize(
    ("reduce", "number"), [("first", 4), ("min", 1), ("max", 4), ("sum", 5), ("count", 2)]
)
def test_rows_are_reduced(reduce, number):
    assert read([(4,), (None,), (1,)], reduce=reduce) == {"": number}


def test_one_reading_per_key():
    rows = [("a", 1, 5), ("b", 1, 6), (None, 2, None)]
    found = read(rows, ("team", "plan", "mrr"), key_columns=["team", "plan"])
    assert found == {'["a", "1"]': 5, '["b", "1"]': 6, '[null, "2"]': None}
    assert label('[null, "2"]') == "(none) / 2"


def test_the_same_key_twice_is_an_error_that_names_it():
    with pytest.raises(ReadingError, match="2 rows for key a"):
        read([("a", 1), ("a", 2)], ("k", "value"), key_columns=["k"])


@pytest.mark.parametrize(
    ("columns", "fields", "complaint"),
    [(("a", "b"), {}, "which column is the value.*a, b"), (("total",), {"value": "totl"}, "no column 'totl'; did you mean 'total'"), (("a", "b"), {"key_columns": ["c"]}, "no column 'c'")],
)  # fmt: skip
def test_a_missing_column_is_named(columns, fields, complaint):
    with pytest.raises(ReadingError, match=complaint):
        read([(1, 2)][:1], columns, **fields)


def test_a_key_s_group_is_made_of_some_of_its_columns():
    rule = Rule.model_validate(
        {"name": "r", "operator": ">", "threshold": 0, "key_columns": ["a", "b"], "group_by": ["b"]}
    )
    assert group_of(rule, '["x", "y"]') == '["y"]'
