"""Samples from rows: values, missing data and errors."""

import math
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from analytics_worker.database.reader_sessions import QueryRows
from flows.alerts.evaluation.samples import SampleError, extract_samples, group_of, key_label
from flows.alerts.rules.model import Rule


def read(rows: list[tuple[Any, ...]], columns: tuple[str, ...] = ("value",), **fields: Any):
    rule = Rule.model_validate({"name": "r", "operator": ">", "threshold": 0, **fields})
    return extract_samples(rule, QueryRows(columns, rows))


@pytest.mark.parametrize(
    ("value", "number"),
    [(5, 5), (True, 1), (Decimal("12.5"), 12.5), (" 12.5 ", 12.5), ("-1e3", -1000), ("Infinity", math.inf), (Decimal("Infinity"), math.inf), (-math.inf, -math.inf), (10**400, math.inf), (timedelta(minutes=2), 120), (None, None), (math.nan, None), (Decimal("NaN"), None), ("nan", None)],
)  # fmt: skip
def test_values_are_converted_to_numbers(value, number):
    assert read([(value,)]) == {"": number}


@pytest.mark.parametrize("value", ["abc", "", "1_000", "12 apples", "0x10", date(2026, 1, 1), [1]])
def test_other_values_are_errors(value):
    with pytest.raises(SampleError, match="'value'"):
        read([(value,)])


def test_no_row_is_no_data_unless_rows_are_counted():
    assert read([]) == {"": None}
    assert read([], measure="rows") == {"": 0.0}
    assert read([], reduce="count") == {"": 0.0}


def test_several_rows_are_an_error_that_suggests_reduce_and_key_columns():
    with pytest.raises(SampleError, match=r"2 rows.*reduce \(first, min.*key_columns"):
        read([(1,), (2,)])


@pytest.mark.parametrize(
    ("reduce", "number"), [("first", 4), ("min", 1), ("max", 4), ("sum", 5), ("count", 2)]
)
def test_rows_are_reduced(reduce, number):
    assert read([(4,), (None,), (1,)], reduce=reduce) == {"": number}


def test_each_key_has_a_sample():
    rows = [("a", 1, 5), ("b", 1, 6), (None, 2, None)]
    samples = read(rows, ("team", "plan", "mrr"), key_columns=["team", "plan"])
    assert samples == {'["a", "1"]': 5, '["b", "1"]': 6, '[null, "2"]': None}
    assert key_label('[null, "2"]') == "(none) / 2"


def test_a_duplicate_key_is_an_error_that_names_it():
    with pytest.raises(SampleError, match="2 rows for key a"):
        read([("a", 1), ("a", 2)], ("k", "value"), key_columns=["k"])


@pytest.mark.parametrize(
    ("columns", "fields", "complaint"),
    [(("a", "b"), {}, "the value column is ambiguous.*a, b"), (("total",), {"value": "totl"}, "no column 'totl'; did you mean 'total'"), (("a", "b"), {"key_columns": ["c"]}, "no column 'c'")],
)  # fmt: skip
def test_a_missing_column_is_an_error_that_names_it(columns, fields, complaint):
    with pytest.raises(SampleError, match=complaint):
        read([(1, 2)][:1], columns, **fields)


def test_the_group_of_a_key_has_its_group_by_values():
    rule = Rule.model_validate(
        {"name": "r", "operator": ">", "threshold": 0, "key_columns": ["a", "b"], "group_by": ["b"]}
    )
    assert group_of(rule, '["x", "y"]') == '["y"]'
