"""``columns`` of a report: what each key does to the texts of a page, and mistakes in them."""

from dataclasses import replace

import pytest
from pydantic import ValidationError

from flows.reports.formats import Column, ColumnKind, ColumnOptions, FetchedRows, FormatError
from flows.reports.formats.pages.cell_text import heading_text, table_texts
from flows.reports.formats.pages.tables import PORTRAIT, TableTexts
from flows.reports.formats.query.columns import columns_of
from flows.reports.formats.query.reader_columns import with_options
from flows.reports.formats.xlsx.styles import Styles

KIND = ColumnKind
TIME = "2024-02-09 13:05:07+00"


def texts(kind: ColumnKind, values: list[str | None], **options) -> list[str]:
    column = Column("plain", kind, options=ColumnOptions(**options))
    rows = tuple((value,) for value in values)
    return [row[0] for row in table_texts(FetchedRows("T", (column,), rows)).rows]


@pytest.mark.parametrize(
    ("kind", "options", "value", "expected"),
    [
        (KIND.INTEGER, {}, "4915112345", "4915112345"),
        (KIND.INTEGER, {"unit": "€"}, "-4915112345", "\u2212€4,915,112,345"),
        (KIND.INTEGER, {"unit": "kWh"}, "4915112345", "4,915,112,345"),
        (KIND.INTEGER, {"decimals": 0}, "1234", "1,234"),
        (KIND.INTEGER, {"total": True}, "1234", "1,234"),
        (KIND.INTEGER, {"decimals": 2}, "1234", "1,234.00"),
        (KIND.NUMERIC, {"decimals": 0}, "1234.5", "1,235"),
        (KIND.NUMERIC, {"decimals": 1}, "-0.04", "0.0"),
        (KIND.NUMERIC, {"percent": True}, "0.44", "44%"),
        (KIND.FLOAT, {"percent": True}, "0.1234", "12.34%"),
        (KIND.NUMERIC, {"percent": True, "decimals": 1}, "0.12345", "12.3%"),
        (KIND.NUMERIC, {"unit": "%"}, "44.5", "44.5%"),
        (KIND.NUMERIC, {"unit": "$", "decimals": 2}, "NaN", "NaN"),
        (KIND.NUMERIC, {"percent": True}, "Infinity", "Infinity"),
        (KIND.DATE, {"date": "DD.MM.YYYY"}, "2024-02-09", "09.02.2024"),
        (KIND.DATE, {"date": "Dy, DD Mon YY"}, "2024-02-09", "Fri, 09 Feb 24"),
        (KIND.DATE, {"date": "Day DD Month YYYY"}, "2024-02-09", "Friday 09 February 2024"),
        (KIND.INSTANT, {"date": "MM/DD HH24:MI"}, TIME, "02/09 13:05"),
        (KIND.TIMESTAMP, {"date": "HH24:MI:SS"}, "2024-02-09 13:05:07.123", "13:05:07"),
        (KIND.DATE, {"date": "YYYY HH24:MI"}, "2024-02-09", "2024 00:00"),
        (KIND.DATE, {"date": "DD.MM.YYYY"}, "infinity", "infinity"),
        (KIND.DATE, {"date": "DD.MM.YYYY"}, "0044-03-15 BC", "0044-03-15 BC"),
        (KIND.DATE, {"date": "DD.MM.YYYY"}, "20224-01-01", "20224-01-01"),
    ],
)
def test_option_changes_the_text_of_a_value(kind, options, value, expected):
    assert texts(kind, [value], **options) == [expected]


def test_heading_has_title_and_a_unit_that_is_a_word():
    column = Column("deals_won", KIND.INTEGER)
    options = [
        ColumnOptions(),
        ColumnOptions(title="Deals"),
        ColumnOptions(unit="kWh"),
        ColumnOptions(unit="€", title="Sum"),
    ]
    headings = [heading_text(replace(column, options=each)) for each in options]
    assert headings == ["Deals won", "Deals", "Deals won (kWh)", "Sum"]


def test_hidden_columns_are_left_out_and_totals_are_labeled():
    options = [ColumnOptions(), ColumnOptions(hidden=True), ColumnOptions(total=True, decimals=1)]
    names = zip(
        ("team", "secret", "won"), (KIND.TEXT, KIND.TEXT, KIND.NUMERIC), options, strict=True
    )
    columns = tuple(Column(name, kind, options=option) for name, kind, option in names)
    found = FetchedRows("T", columns, (("A", "x", "1.25"),), totals=(None, None, "1001.25"))
    (block,) = TableTexts(found).shown(PORTRAIT, ()).blocks
    assert [column.heading for column in block.columns] == ["Team", "Won"]
    assert block.rows == [["A", "1.3"]]
    assert block.totals == ["Total", "1,001.3"]


def test_block_without_a_total_has_no_row_for_one():
    columns = [
        Column("k", KIND.TEXT),
        Column("sum", KIND.NUMERIC, options=ColumnOptions(total=True)),
    ]
    columns += [Column(f"metric_{number}", KIND.NUMERIC) for number in range(30)]
    row, totals = ("k", *["1234567.25"] * 31), (None, "1234567.25", *[None] * 30)
    found = FetchedRows("T", tuple(columns), (row,), totals=totals)
    blocks = TableTexts(found).shown(PORTRAIT, ()).blocks
    assert len(blocks) > 2
    first, *others = [block.totals for block in blocks]
    assert first is not None
    assert first[:2] == ["Total", "1,234,567.25"]
    assert set(others) == {None}


def test_alignment_is_that_of_the_type_unless_it_is_set():
    columns = (
        Column("c", KIND.TEXT),
        Column("c", KIND.INTEGER),
        Column("c", KIND.INTEGER, options=ColumnOptions(align="center")),
    )
    (block,) = TableTexts(FetchedRows("T", columns, (("a", "1", "2"),))).shown(PORTRAIT, ()).blocks
    assert [column.align for column in block.columns] == ["left", "right", "center"]
    assert 'align="center"' in block.columns[2].attributes


def test_rows_that_lack_data_have_a_mark_and_the_table_says_until_when_data_is_there():
    columns = (
        Column("hidden", KIND.DATE, options=ColumnOptions(hidden=True)),
        Column("n", KIND.INTEGER),
    )
    rows = FetchedRows(
        "T", columns, (("a", "1"), ("b", "2")), incomplete="incomplete: data until 12:00"
    )
    assert TableTexts(rows).shown(PORTRAIT, ()).incomplete == "incomplete: data until 12:00"
    shown = TableTexts(replace(rows, incomplete_rows=frozenset({1}))).shown(PORTRAIT, ())
    assert shown.incomplete == "* incomplete: data until 12:00"
    assert [list(row) for row in shown.blocks[0].rows] == [["1"], ["2 *"]]


@pytest.mark.parametrize(
    ("kind", "options", "code"),
    [
        (KIND.INTEGER, {"unit": "€"}, '"€"#,##0'),
        (KIND.INTEGER, {"unit": "kWh"}, "#,##0"),
        (KIND.NUMERIC, {"decimals": 3}, "#,##0.000"),
        (KIND.NUMERIC, {"percent": True}, "#,##0.0%"),
        (KIND.NUMERIC, {"percent": True, "decimals": 0}, "#,##0%"),
        (KIND.NUMERIC, {"unit": "%", "decimals": 1}, '#,##0.0"%"'),
        (KIND.DATE, {"date": "DD.MM.YYYY HH24:MI"}, r"dd\.mm\.yyyy\ hh:mm"),
        (KIND.DATE, {"date": "Dy, DD Mon YY"}, r"ddd\,\ dd\ mmm\ yy"),
    ],
)
def test_number_format_of_excel(kind, options, code):
    styles = Styles()
    styles.of(Column("c", kind, options=ColumnOptions(**options)))
    assert code.replace('"', "&quot;") in styles.xml().replace('"', "&quot;")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"valeu": {}}, "T: columns: the query has no column 'valeu'; did you mean 'value'?"),
        ({"team": {"unit": "€"}}, "unit of 'team' is for numbers; its type is text: cast it to numeric"),
        ({"team": {"total": True}}, "total of 'team' is for numbers"),
        ({"team": {"date": "DD.MM."}}, "date of 'team' is for days and times; its type is text"),
        ({"team": {"hidden": True}, "value": {"hidden": True}}, "all columns are hidden; show at least one"),
    ],
)  # fmt: skip
def test_options_that_do_not_fit_the_query_are_named(options, expected):
    columns = (Column("team", KIND.TEXT), Column("value", KIND.NUMERIC))
    with pytest.raises(FormatError) as error:
        with_options("T", columns, {name: ColumnOptions(**each) for name, each in options.items()})
    assert expected in str(error.value)


@pytest.mark.parametrize("pattern", ["", "DD.MM.JJJJ", "%d.%m.%Y", "HH24", "dd.mm.yyyy"])
def test_date_format_of_other_codes_is_refused(pattern):
    with pytest.raises(ValidationError, match=r"expected e.g. DD.MM.YYYY, of HH24:MI:SS, HH24:MI"):
        ColumnOptions(date=pattern)


def test_a_total_of_intervals_names_the_type_and_how_to_make_numbers():
    columns = columns_of([("wait", 1186, None, None, None, None, None)])
    with pytest.raises(FormatError, match=r"its type is interval: make it seconds with extract\("):
        with_options("T", columns, {"wait": ColumnOptions(total=True)})
