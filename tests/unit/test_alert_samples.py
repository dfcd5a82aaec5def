"""Samples from rows: values, missing data and errors."""

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from analytics_worker.database.query_rows import QueryRows
from analytics_worker.database.server_values import BOOLEAN, INTERVAL, MONEY
from flows.alerts.evaluation.samples import SampleError, extract_samples, group_of, key_label
from flows.alerts.rules.model import Rule

TEXT = 25


def read(
    rows: Sequence[tuple[object, ...]],
    columns: tuple[str, ...] = ("value",),
    type_oid: int = TEXT,
    **fields: Any,
):
    rule = Rule.model_validate({"name": "r", "operator": ">", "threshold": 0, **fields})
    texts = [tuple(None if value is None else str(value) for value in row) for row in rows]
    return extract_samples(rule, QueryRows(columns, [type_oid] * len(columns), texts))


@pytest.mark.parametrize(
    ("text", "number"),
    [("5", 5), (" 12.5 ", 12.5), ("-1e3", -1000), ("Infinity", math.inf), ("-inf", -math.inf), ("9" * 400, Decimal("9" * 400)), ("9" * 100_000, Decimal("9" * 100_000)), ("1e-99999999999", 0), ("0e999999", 0), (None, None), ("NaN", None), ("nan", None)],
)  # fmt: skip
def test_values_are_converted_to_numbers(text, number):
    assert read([(text,)]) == {"": number}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("00:02:00", 120), ("-00:00:05.5", -5.5), ("-1 days -02:00:00", -93_600), ("1 year 2 mons", 36_741_600), ("-1 mons +1 day 01:00:00", -2_502_000), ("infinity", math.inf), ("178956970 years 7 mons", 5_647_452_494_616_000)],
)  # fmt: skip
def test_intervals_are_converted_to_seconds(text, seconds):
    assert read([(text,)], type_oid=INTERVAL) == {"": seconds}


def test_booleans_are_one_and_zero_and_keys_are_words():
    rows = [("t", "t"), ("f", "f")]
    samples = read(rows, ("paid", "value"), BOOLEAN, key_columns=["paid"])
    assert samples == {'["true"]': 1, '["false"]': 0}


@pytest.mark.parametrize(
    "text",
    ["abc", "", "t", "1_000", "12 apples", "0x10", "2026-01-01", "20224-01-01", "0044-03-15 BC", "{1}", "[1,5)", "1e131072", "-1e999999999", "1e99999999999999999999"],
)  # fmt: skip
def test_other_values_are_errors(text):
    with pytest.raises(SampleError, match="'value'"):
        read([(text,)])


def test_money_is_an_error_that_names_the_cast():
    with pytest.raises(SampleError, match=r"12\.50' is not a valid number; cast it to numeric"):
        read([("$12.50",)], type_oid=MONEY)


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
    [(("a", "b"), {}, "the value column is ambiguous.*a, b"), (("total",), {"value": "totl"}, "no column 'totl'; did you mean 'total'"), (("a", "b"), {"key_columns": ["c"]}, "no column 'c'"), ((), {}, "the query returns no columns"), ((), {"value": "a"}, "the query returns no columns; expected 'a'")],
)  # fmt: skip
def test_a_missing_column_is_an_error_that_names_it(columns, fields, complaint):
    with pytest.raises(SampleError, match=complaint):
        read([(1, 2)][:1], columns, **fields)


def test_the_group_of_a_key_has_its_group_by_values():
    rule = Rule.model_validate(
        {"name": "r", "operator": ">", "threshold": 0, "key_columns": ["a", "b"], "group_by": ["b"]}
    )
    assert group_of(rule, '["x", "y"]') == '["y"]'
