"""Charts of any numbers that a query returns: each is drawn, and inside of its picture."""

import sys
from dataclasses import replace
from decimal import Decimal
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flows.reports.formats.charts.axis import ticks
from flows.reports.formats.charts.drawing import WIDTH
from flows.reports.formats.charts.geometry import layout_chart
from flows.reports.formats.charts.svg import alt_text, limit_chart, render_svg
from flows.reports.formats.pages.document import Chart, Series, chart_from_rows
from flows.reports.formats.query.columns import Column, ColumnKind
from flows.reports.formats.query.fetch import FetchedRows
from tests.support.attacks import attack

KINDS = ("bar", "line", "stacked")
GREATEST, LEAST = sys.float_info.max, 5e-324
EXTREMES = st.sampled_from([GREATEST, -GREATEST, 1e308, -1e308, LEAST, -LEAST, 0.0, 1.0])
NUMBERS = st.none() | st.floats() | EXTREMES | st.decimals(allow_nan=False)
ROWS = st.integers(1, 8).flatmap(
    lambda width: st.lists(st.lists(NUMBERS, min_size=width, max_size=width), max_size=70)
)


def chart(rows, kind, label="label"):
    width = len(rows[0]) if rows else 1
    columns = (
        Column("k", ColumnKind.TEXT),
        *(Column(f"s{n}", ColumnKind.FLOAT) for n in range(width)),
    )
    found = FetchedRows("T", columns, tuple((label, *row) for row in rows))
    return limit_chart(chart_from_rows(found, kind))[0]


@pytest.mark.parametrize("kind", KINDS)
@attack(
    by="data",
    what="numbers near the limits of floating point in a chart: 1e308 beside -1e308, 5e-324",
    answer="the chart is drawn; the report does not fail",
)
@settings(deadline=None)
@given(rows=ROWS, label=st.sampled_from(["a", "a label that is too long to stand below"]))
@example(rows=[[1e308], [-1e308]], label="a")
@example(rows=[[1e308, 1e308], [-1e308, -1e308]], label="a")
@example(rows=[[LEAST]], label="a")
@example(rows=[[LEAST]], label="a label that is too long to stand below" * 3)
@example(rows=[[1.0], [1.0 + sys.float_info.epsilon]], label="a")
@example(rows=[[Decimal("1e400")], [Decimal(1)]], label="a")
def test_every_chart_is_drawn(kind, rows, label):
    one = chart(rows, kind, label)
    picture, height = render_svg(one)
    assert ET.fromstring(picture).tag.endswith("svg")  # noqa: S314  # made here
    assert alt_text(one)
    shapes = layout_chart(one)
    edges = [edge for x, y, w, h, _ in shapes.bars for edge in (x, y, x + w, y + h)]
    edges += [place for x, y, _ in shapes.dots for place in (x, y)]
    assert all(-1 <= edge <= max(WIDTH, height) + 1 for edge in edges)


@settings(deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1), st.booleans())
@example([LEAST], True)  # positional, as the strategies
@example([GREATEST, -GREATEST], True)  # positional, as the strategies
@example([1.0, 1.0 + sys.float_info.epsilon], False)  # positional, as the strategies
def test_marks_are_few_distinct_and_around_all_values(values, from_zero):
    marks = ticks(values, from_zero=from_zero)
    assert 2 <= len(marks) <= 9
    assert sorted(set(marks)) == marks
    width = marks[-1] / 2 - marks[0] / 2
    assert marks[0] / 2 <= min(values) / 2 + width * 1e-9
    assert marks[-1] / 2 >= max(values) / 2 - width * 1e-9


def test_ordinary_marks_are_round():
    assert ticks([3, 98], from_zero=True) == [0, 25, 50, 75, 100]
    assert ticks([-4, 9], from_zero=True) == [-5, 0, 5, 10]


INCOMPLETE = "incomplete: data until 12:00"


def partial_chart(kind, *points, rows=3, label="label"):
    one = chart([[float(n)] for n in range(1, rows + 1)], kind, label)
    return replace(one, incomplete=INCOMPLETE, incomplete_points=frozenset(points))


def test_a_line_is_dashed_to_a_point_that_lacks_data():
    whole, partial = layout_chart(partial_chart("line")), layout_chart(partial_chart("line", 2))
    (line, _, _), (dash, _) = partial.lines[0], partial.dashes[0]
    assert whole.lines[0][0] == f"{line} L{dash.split(' L')[1]}"
    assert dash.removeprefix("M").split(" L")[0] == line.split(" L")[-1]
    assert (len(whole.dots), len(whole.open_dots)) == (1, 0)
    assert (len(partial.dots), partial.open_dots) == (0, whole.dots)


def test_a_single_point_that_lacks_data_is_drawn():
    drawing = layout_chart(partial_chart("line", 0, rows=1))
    assert (drawing.lines, drawing.dashes, len(drawing.open_dots)) == ([], [], 1)
    assert not drawing.is_empty


@pytest.mark.parametrize("label", ["a", "a label that is too long to stand below"])
@pytest.mark.parametrize("kind", ["bar", "stacked"])
def test_bars_that_lack_data_are_pale(kind, label):
    whole = layout_chart(partial_chart(kind, label=label))
    partial = layout_chart(partial_chart(kind, 2, label=label))
    assert (partial.bars, partial.pale_bars) == (whole.bars[:2], whole.bars[2:])


@pytest.mark.parametrize("kind", KINDS)
def test_charts_that_lack_data_are_drawn_and_described(kind):
    one = partial_chart(kind, 2)
    picture, _ = render_svg(one)
    assert "stroke-dasharray" in picture
    assert alt_text(one).endswith(f" {INCOMPLETE} ({'dashed' if kind == 'line' else 'pale'}).")
    assert alt_text(partial_chart(kind)).endswith(f" {INCOMPLETE}.")


def test_points_that_are_left_out_leave_the_marks_where_they_were():
    values = [float(n) for n in range(70)]
    long = Chart("T", list(map(str, values)), [Series("s", values)])
    long = replace(long, incomplete_points=frozenset({0, 69}))
    assert limit_chart(long)[0].incomplete_points == {59}
