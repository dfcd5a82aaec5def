"""Tiles of odd numbers: no sign of what rounds to zero, no change of what is no number."""

from decimal import Decimal

import pytest

from analytics_worker.presentation.numbers import compact_number, number_text
from flows.reports.formats import Tile
from flows.reports.formats.pages.tiles import tile_texts

NAN, INFINITY = Decimal("NaN"), Decimal("Infinity")


@pytest.mark.parametrize(
    ("value", "previous", "expected"),
    [
        (NAN, 5, ("NaN", "", "", "flat")),
        (5, NAN, ("5", "", "", "flat")),
        (INFINITY, 5, ("Infinity", "", "", "flat")),
        (5, -INFINITY, ("5", "", "", "flat")),
        (Decimal("-0.4"), Decimal("0.4"), ("0", "= unchanged", "before: 0", "flat")),
        (Decimal("-0.4"), 3, ("0", "▼ \u2212113.3%", "before: 3", "bad")),
        (Decimal("0.4"), 0, ("0", "= unchanged", "before: 0", "flat")),
        (Decimal("1250.5"), 1000, ("1,251", "▲ +25.1%", "before: 1,000", "good")),
        (5, 0, ("5", "▲ +5", "before: 0", "good")),
        (Decimal(10) ** 12, 1, ("1,000,000,000,000", "▲ +more than 1,000,000\u00d7", "before: 1", "good")),
        (-5, 5, ("\u22125", "▼ \u2212200.0%", "before: 5", "bad")),
        (None, 5, ("–", "", "", "flat")),
    ],
)  # fmt: skip
def test_tile_shows_number_and_change(value, previous, expected):
    texts = tile_texts(Tile("T", value, previous))
    assert (texts.value, texts.change, texts.previous, texts.tone) == expected


def test_digits_of_a_great_number_are_shown_unless_there_are_too_many_to_read():
    assert tile_texts(Tile("T", Decimal(10) ** 30)).value.replace(",", "") == "1" + "0" * 30
    texts = tile_texts(Tile("T", Decimal("1e400"), Decimal(0), "$"))
    assert (texts.value, texts.change) == ("$1e+400", "▲ +$1e+400")


def test_change_of_percentages_is_in_points_between_the_rounded_numbers():
    texts = tile_texts(Tile("T", Decimal("44.44"), Decimal("44.36"), "%", 1))
    assert (texts.value, texts.change) == ("44.4%", "= unchanged")
    texts = tile_texts(Tile("T", Decimal("-0.04"), Decimal("0.5"), "%", 1))
    assert (texts.value, texts.change) == ("0.0%", "▼ \u22120.5 points")


@pytest.mark.parametrize("value", [-0.0, Decimal("-0"), Decimal("-0.0001")])
def test_what_is_shown_as_zero_has_no_sign(value):
    assert number_text(value, 2, "€") == "€0.00"
    assert compact_number(-0.0, "%") == "0%"
