"""``columns`` of a report in each format: what readers see on pages and in workbooks, and data as it is."""

import csv
import datetime as dt
import io
import json
from pathlib import Path

import openpyxl
import pypdf
import pytest

from flows.reports.formats import (
    ColumnOptions,
    Document,
    FormatError,
    TableQuery,
    export,
    fetch_table,
    open_snapshot,
    render_html,
    render_pdf,
)

pytestmark = pytest.mark.usefixtures("environment")

SQL = """select * from (values
 ('North', 1000, 0.44::numeric, 7.25::float8, date '2024-02-09', 4915112345, 'x'),
 ('South', 2500, 0.56, 0.5, 'infinity', 4915112346, 'y')
) as t (region, revenue, share, energy, first_order, phone, secret)"""
COLUMNS = {
    "region": ColumnOptions(title="Where", align="center"),
    "revenue": ColumnOptions(unit="€", decimals=2, total=True),
    "share": ColumnOptions(percent=True, total=True),
    "energy": ColumnOptions(unit="kWh", total=True),
    "first_order": ColumnOptions(date="DD.MM.YYYY"),
    "secret": ColumnOptions(hidden=True),
}
QUERY = TableQuery("Sales", SQL, columns=COLUMNS)


def exported(path: Path, name: str, query: TableQuery = QUERY, **options) -> bytes:
    with open_snapshot() as snapshot:
        export(snapshot, [query], path / "f", name, **options)
    return (path / "f").read_bytes()


def sheet_of(path: Path, **options):
    return openpyxl.load_workbook(io.BytesIO(exported(path, "xlsx", **options)))["Sales"]


def page_of(query: TableQuery, limit: int = 100, max_rows: int | None = None):
    with open_snapshot() as snapshot:
        table = fetch_table(snapshot, query, limit, max_rows)
    return render_html(Document("Sales", "now", tables=[table]))


def test_page_email_and_pdf_show_what_columns_say(tmp_path):
    html = page_of(QUERY)
    render_pdf(html, tmp_path / "f.pdf")
    pdf = "".join(each.extract_text() for each in pypdf.PdfReader(tmp_path / "f.pdf").pages)
    for text in (html.text, html.email, pdf):
        for shown in ("Where", "Energy (kWh)", "€1,000.00", "44%", "7.25", "09.02.2024", "infinity",
                      "4915112345", "Total", "€3,500.00", "100%", "7.75"):  # fmt: skip
            assert shown in text, shown
        assert "secret" not in text.lower()
    assert '<td class="short" align="center">North</td>' in html.text


def test_total_is_that_of_all_rows_up_to_the_maximum():
    sql = "select n, n::numeric / 3 as third from generate_series(1, 10) as n"
    query = TableQuery("T", sql, columns={"n": ColumnOptions(total=True)})
    assert "<strong>55</strong>" in page_of(query, 3).text
    assert "<strong>10</strong>" in page_of(query, 3, max_rows=4).text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("9223372036854775807", "18,446,744,073,709,551,614"),
        ("1e308::float8", "2e+308"),
        ("'NaN'::numeric", "NaN"),
        ("'Infinity'::float8", "Infinity"),
        ("4294967295::oid", "8,589,934,590"),
        ("null::int", "–"),
    ],
)
def test_no_value_prevents_a_total(value, expected, tmp_path):
    sql = f"select 'x' as k, {value} as v union all select 'y', {value}"
    query = TableQuery("Sales", sql, columns={"v": ColumnOptions(total=True)})
    assert f"<strong>{expected}</strong>" in page_of(query).text
    sheet = openpyxl.load_workbook(io.BytesIO(exported(tmp_path, "xlsx", query)))["Sales"]
    assert sheet["A4"].value == "Total"


def test_workbook_has_titles_formats_and_totals(tmp_path):
    sheet = sheet_of(tmp_path)
    assert [cell.value for cell in sheet[1]] == [
        "Where", "revenue", "share", "energy (kWh)", "first_order", "phone",
    ]  # fmt: skip
    assert [cell.value for cell in sheet[2]] == [
        "North", 1000, 0.44, 7.25, dt.datetime(2024, 2, 9), 4915112345,  # noqa: DTZ001
    ]  # fmt: skip
    assert sheet["E3"].value == "infinity"
    assert [cell.value for cell in sheet[4]] == ["Total", 3500, 1, 7.75, None, None]
    codes = [cell.number_format for cell in sheet[2]]
    assert codes == ["General", '"€"#,##0.00', "#,##0.0%", "#,##0.00", r"dd\.mm\.yyyy", "General"]
    assert [cell.number_format for cell in sheet[4]][1:4] == codes[1:4]
    assert sheet["A2"].alignment.horizontal == "center"
    assert sheet["B4"].font.b
    assert sheet.auto_filter.ref == "A1:F3"


def test_totals_of_more_digits_than_a_cell_holds_are_text(tmp_path):
    sql = "select 9007199254740993 as v union all select 1"
    query = TableQuery("Sales", sql, columns={"v": ColumnOptions(total=True)})
    sheet = openpyxl.load_workbook(io.BytesIO(exported(tmp_path, "xlsx", query)))["Sales"]
    assert sheet["A4"].value == "9007199254740994"


def test_text_that_starts_a_formula_stays_text_in_an_aligned_column(tmp_path):
    query = TableQuery("Sales", "select '=1+1' as t", columns={"t": ColumnOptions(align="right")})
    sheet = openpyxl.load_workbook(io.BytesIO(exported(tmp_path, "xlsx", query)))["Sales"]
    assert (sheet["A2"].value, sheet["A2"].data_type) == ("=1+1", "s")
    assert sheet["A2"].quotePrefix
    assert sheet["A2"].alignment.horizontal == "right"


def test_files_for_programs_have_all_columns_as_they_are(tmp_path):
    header, first, *_ = csv.reader(io.StringIO(exported(tmp_path, "csv").decode()))
    assert header == ["region", "revenue", "share", "energy", "first_order", "phone", "secret"]
    assert first == ["North", "1000", "0.44", "7.25", "2024-02-09", "4915112345", "x"]
    assert json.loads(exported(tmp_path, "json"))[0]["secret"] == "x"
    raw = sheet_of(tmp_path, raw=True)
    assert [cell.value for cell in raw[1]] == header
    assert raw.max_row == 3
    assert raw["B2"].number_format == "General"


def test_unknown_column_is_named_with_a_similar_one(tmp_path):
    query = TableQuery("Sales", SQL, columns={"revenu": ColumnOptions(unit="€")})
    expected = "Sales: columns: the query has no column 'revenu'; did you mean 'revenue'?"
    with pytest.raises(FormatError) as error:
        exported(tmp_path, "csv", query)
    assert str(error.value) == expected
    assert not (tmp_path / "f").exists()
