"""Labels of charts: whole where they fit, inside of the picture, never on top of each other."""

from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flows.reports.formats import Chart, ChartKind, Series, chart_from_rows
from flows.reports.formats.charts.drawing import LINE_HEIGHT, WIDTH, Drawing
from flows.reports.formats.charts.geometry import layout_chart
from flows.reports.formats.charts.labels import text_pixels
from flows.reports.formats.charts.svg import render_svg
from flows.reports.formats.query.columns import Column, ColumnKind
from flows.reports.formats.query.fetch import FetchedRows
from flows.reports.formats.text_width import fitting_text, text_width, wrapped_lines
from tests.support.attacks import attack

MONTHS = [f"{month} {year}" for year in (25, 26) for month in ("Jan", "Apr", "Jul", "Oct", "Dec")]
DAYS = [f"2026-11-{day:02}" for day in range(1, 31)]
KINDS = st.sampled_from(["bar", "line", "stacked"])
LABELS = st.lists(st.text(max_size=40) | st.sampled_from([*MONTHS, *DAYS, "株式会社山田製作所"]), min_size=1, max_size=60)  # fmt: skip


def chart(labels: list[str], kind: ChartKind = "bar", value: float = 1.0) -> Chart:
    return Chart("T", labels, [Series("s", [value] * len(labels))], kind)


def spans(drawing: Drawing) -> list[tuple[float, float, float, str]]:
    """Return left, right, baseline and text of every label."""
    share = {"start": 0.0, "middle": 0.5, "end": 1.0}
    found = [(x - text_pixels(t) * share[anchor], y, t) for x, y, anchor, t in drawing.labels]
    return [(start, start + text_pixels(text), y, text) for start, y, text in found]


@settings(deadline=None)
@given(labels=LABELS, kind=KINDS)
@example(labels=MONTHS, kind="line")
@example(labels=DAYS, kind="bar")
@example(labels=[*"abcdefghijk", "a last label that is long"], kind="line")
def test_labels_are_inside_and_apart(labels, kind):
    shown = spans(layout_chart(chart(labels, kind)))
    assert all(start >= -1 and end <= WIDTH + 1 for start, end, *_ in shown)
    for y in {y for _, _, y, _ in shown}:
        row = sorted((start, end) for start, end, other, text in shown if other == y and text)
        assert all(one[1] <= next_one[0] for one, next_one in pairwise(row))


@pytest.mark.parametrize(
    "labels", [MONTHS, DAYS, [f"2026-11-25 {hour:02}:00" for hour in range(24)]]
)
@pytest.mark.parametrize("kind", ["line", "bar"])
def test_last_label_is_shown_whole(labels, kind):
    drawing = layout_chart(chart(labels, kind))
    assert " ".join(text for *_, text in drawing.labels).endswith(labels[-1])
    assert not any("…" in text for *_, text in drawing.labels)


@pytest.mark.parametrize("count", [3, 18])
def test_long_categories_are_shown_whole(count):
    labels = [f"Category number {n} with a long name of words" for n in range(count)]
    drawing = layout_chart(chart(labels))
    text = " ".join(text for *_, text in drawing.labels)
    assert all(label in text for label in labels)
    assert {y for _, y, *_ in drawing.labels} == {y for _, y, *_ in drawing.labels if y > 0}
    assert drawing.height <= 900


@pytest.mark.parametrize(("value", "anchor"), [(-80.0, "end"), (80.0, "start")])
def test_number_stands_beyond_the_end_of_its_bar(value, anchor):
    labels = ["A label that is too long for a column of a chart", "B"] * 4
    drawing = layout_chart(chart(labels, value=value))
    for (x, _, width, *_), (number_x, _, number_anchor, text) in zip(
        drawing.bars, drawing.values, strict=True
    ):
        assert number_anchor == anchor
        if value < 0:
            assert number_x - text_pixels(text) >= drawing.left - 1
            assert number_x <= x
        else:
            assert x + width <= number_x
            assert number_x + text_pixels(text) <= WIDTH


def test_lines_of_a_label_are_below_each_other():
    drawing = layout_chart(chart(["Contract negotiation", "Proposal sent", "Won", "Lost", "Open"]))
    (first, second) = [y for _, y, _, text in drawing.labels if text in {"Contract", "negotiation"}]
    assert second - first == LINE_HEIGHT
    assert drawing.height == 250 + LINE_HEIGHT


@attack(
    by="data",
    what="labels of a chart with line ends, control characters, markup, or a megabyte of text",
    answer="one line of at most 200 characters, escaped; the picture stays valid",
)
@pytest.mark.parametrize("label", ["a\nb\x01\x1b\ufffe<b>&", "x" * 1_000_000, "\u0301" * 1_000_000])
def test_labels_are_one_line(label):
    columns = (Column("k", ColumnKind.TEXT), Column("v", ColumnKind.FLOAT))
    found = chart_from_rows(FetchedRows("T", columns, ((label, "1"), ("b", "2"))))
    assert len(found.labels[0]) <= 200
    picture, _ = render_svg(found)
    assert not any(each in picture for each in ("\x01", "\x1b", "\ufffe", "<b>"))


def test_widths_of_texts():
    assert text_width("ii") < text_width("oo") < text_width("WW") < text_width("東東")
    assert fitting_text("short", 10) == "short"
    assert fitting_text("a longer text", 5).endswith("…")
    assert text_width(fitting_text("a longer text", 5)) <= 5
    assert wrapped_lines("one two three", 4, 3) == ["one two", "three"]
    assert wrapped_lines("東京都千代田区", 3, 3) == ["東京都", "千代田", "区"]
