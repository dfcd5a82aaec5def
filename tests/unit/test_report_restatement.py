"""Comparing what was sent with now: exact numbers, tolerance of double precision, labels, movements."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from flows.reports.formats import Chart, Series
from flows.reports.restatement.comparison import Change, changes_of, movements
from flows.reports.restatement.parts import Part, PartKey, Point, chart_part
from flows.reports.restatement.texts import change_text


def tile(number: str | None, *, is_approximate: bool = False, **fields: object) -> Part:
    part = Part("tile", 0, "Won", "EUR", points=(Point("", "", number),))
    return replace(part, is_approximate=is_approximate, **fields)


def chart(labels: Sequence[str], *series: tuple[str, Sequence[float | None]]) -> Part:
    found = Chart("c", labels, [Series(name, values) for name, values in series])
    return chart_part(0, "c", found)


def table(rows: int = 2, row_hash: str = "1", *sums: tuple[str | None, str | None]) -> Part:
    return Part("table", 0, "t", rows=rows, hash=row_hash, sums=sums)


@pytest.mark.parametrize(
    ("sent", "now", "is_approximate", "is_different"),
    [
        ("1", "1.00", False, False),
        ("12345678901234567890.12345", "12345678901234567890.12346", False, True),
        ("1" + "0" * 40, "1" + "0" * 39 + "1", False, True),
        ("0.30000000000000004", "0.3", True, False),
        ("0.30000000000000004", "0.3", False, True),
        ("1000000000", "1000000002", True, True),
        ("0", "1e-300", True, True),
        (None, "0", False, True),
        (None, None, False, False),
        ("NaN", "NaN", False, False),
        ("NaN", "1", True, True),
        ("Infinity", "-Infinity", True, True),
        ("Infinity", "Infinity", True, False),
    ],
)
def test_numbers(sent, now, is_approximate, is_different):
    changes = changes_of(tile(sent), tile(now, is_approximate=is_approximate))
    assert bool(changes) is is_different


def test_points_of_charts_are_compared_by_label_and_series():
    sent = chart(["a", "b", "b"], ("x", [1, 2, 3]), ("y", [4, None, 6]))
    now = chart(["b", "b", "c"], ("x", [2, 9, 7]), ("y", [None, 6, None]))
    found = {each.label: (each.before, each.after) for each in changes_of(sent, now)}
    assert found == {
        "a, x": ("1", None),
        "b, x": ("3", "9"),
        "a, y": ("4", None),
        "c, x": (None, "7"),
    }


def test_the_order_of_points_says_nothing_also_of_repeated_labels():
    sent = chart(["a", "b", "b", "b"], ("x", [1, 2, 3, None]))
    assert changes_of(sent, chart(["b", "b", "b", "a"], ("x", [None, 3, 2, 1]))) == []
    now = chart(["b", "b", "b", "b", "a"], ("x", [7, 3, 8, None, 1]))
    found = {each.label: (each.before, each.after) for each in changes_of(sent, now)}
    assert found == {"b": ("2", "7"), "b (2)": (None, "8")}


def test_a_chart_that_was_shortened_has_no_missing_labels():
    labels = [str(n) for n in range(60)]
    sent = chart(labels, ("x", [1.0] * 60))
    now = chart([*labels[1:], "60"], ("x", [1.0] * 58 + [2.0, 3.0]))
    assert [(each.label, each.after) for each in changes_of(sent, now)] == [("59", "2.0")]


def test_a_chart_that_has_more_points_now_has_no_missing_labels():
    labels = [str(n) for n in range(70)]
    sent = chart(labels[20:], ("x", [1.0] * 50))
    assert changes_of(sent, chart(labels[:60], ("x", [1.0] * 60))) == []
    repeated = chart(["a"] * 30 + ["b"] * 25, ("x", [*range(30), *range(25)]))
    assert changes_of(repeated, chart(["a"] * 60, ("x", list(range(60))))) == []


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (table(2, "1", ("10", "10")), None),
        (table(2, "1", ("10.000000001", "10")), None),
        (table(2, "1", ("10.1", "10")), "t: other values in the same number of rows"),
        (table(2, "1", (None, None)), "t: other values in the same number of rows"),
        (table(2, "1", ("1e309", "1e309")), "t: other values in the same number of rows"),
        (table(2, "2", ("10", "10")), "t: other values in the same number of rows"),
        (table(1, "2", ("10", "10")), "t: 2 rows → 1 row"),
    ],
)
def test_tables(now, expected):
    found = [change_text(each) for each in changes_of(table(2, "1", ("10", "10")), now)]
    assert found == ([expected] if expected else [])


def test_sums_that_cancel_are_measured_by_their_absolute_values():
    sent, now = (table(2, "1", (total, "2e9")) for total in ("0", "0.5"))
    assert changes_of(sent, now) == []
    assert changes_of(sent, table(2, "1", ("5", "2e9"))) != []


def test_equal_content_of_a_table_is_an_equal_change():
    """The last digits of sums differ between executions, and must not look like another change."""
    sent = table(2, "1", ("1", "1"))
    first, second = (
        changes_of(sent, table(2, "1", (total, "2"))) for total in ("2", "2.0000000000000004")
    )
    assert first == second != []


def test_texts_are_one_line_and_show_the_difference():
    change = Change("tile", 0, "Won\n\x1b[31m", "", "1", "1.25", "EUR", 0)
    assert change_text(change) == "Won⏎\ufffd[31m: 1 EUR → 1.25 EUR"
    assert change_text(change._replace(after=None)) == "Won⏎\ufffd[31m: 1 EUR → –"
    assert change_text(change._replace(after="NaN", unit="€")).endswith(": €1 → NaN")


def test_movements():
    first, second = (Change("tile", 0, "Won", "", "1", after) for after in ("2", "3"))
    keys: list[PartKey] = [("tile", 0), ("chart", 0)]
    for before, after, expected in (
        ([], [], [(1, 0), (1, 0)]),
        ([], [first], [(0, 1), (1, 0)]),
        ([first], [first], [(0, 0), (1, 0)]),
        ([first], [second], [(0, 1), (1, 0)]),
        ([first], [], [(0, 0), (1, 0)]),
    ):
        found = movements(before, after, keys)
        assert [(each.held, each.moved) for each in found] == expected
