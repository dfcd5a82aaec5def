"""Values of every type and their extremes, in all formats: the server's text, or the documented form."""

import csv
import datetime as dt
import io
import json
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

import openpyxl
import pypdf
import pytest
from pyarrow import parquet

from flows.reports.formats import (
    Document,
    TableQuery,
    export,
    fetch_rows,
    open_snapshot,
    render_html,
    render_pdf,
)
from tests.support.sql import query as run_query

pytestmark = pytest.mark.usefixtures("environment")


class Case(NamedTuple):
    """What a value is in csv (the server's text), on a page, in a workbook, in parquet and in JSON."""

    sql: str
    csv: str
    page: str | None = None
    xlsx: object = None
    parquet: object = None
    json: object = None


DATE, TIME = dt.datetime(2024, 2, 29), dt.datetime(2024, 2, 29, 13, 5)  # noqa: DTZ001
CASES = {
    "bool": Case("true", "true", "yes", xlsx=True, parquet=True, json=True),
    "int2": Case("(-32768)::int2", "-32768", "\u221232768", xlsx=-32768, parquet=-32768, json=-32768),
    "int8": Case("9223372036854775807", "9223372036854775807", json=9223372036854775807, parquet=9223372036854775807),
    "identifier": Case("1790000000000000123", "1790000000000000123", json=1790000000000000123, parquet=1790000000000000123),
    "oid": Case("4294967295::oid", "4294967295", xlsx=4294967295, parquet=4294967295, json="4294967295"),
    "float8": Case("0.1::float8", "0.1", xlsx=0.1, parquet=0.1, json=0.1),
    "float8_large": Case("1e308::float8", "1e+308", xlsx="1e+308", parquet=1e308, json=1e308),
    "float8_nan": Case("'NaN'::float8", "NaN", parquet="nan", json="NaN"),
    "float8_infinity": Case("'-infinity'::float8", "-Infinity", "\u2212Infinity", xlsx="-Infinity", parquet=float("-inf"), json="-Infinity"),
    "numeric": Case("12345678901234567890.12345::numeric", "12345678901234567890.12345", "12,345,678,901,234,567,890.12", parquet=1.2345678901234567e19, json=Decimal("12345678901234567890.12345")),
    "numeric_cents": Case("999999999999999.99::numeric", "999999999999999.99", "999,999,999,999,999.99", parquet=1e15, json=Decimal("999999999999999.99")),
    "numeric_declared": Case("1234.5::numeric(12,2)", "1234.50", "1,234.50", xlsx=1234.5, parquet=Decimal("1234.50"), json=Decimal("1234.50")),
    "numeric_hundreds": Case("1234::numeric(4,-2)", "1200", "1200", xlsx=1200, json=1200),
    "numeric_nan": Case("'NaN'::numeric(12,2)", "NaN", json="NaN"),
    "numeric_third": Case("1/3::numeric", "0.33333333333333333333", "0.333", xlsx=0.333333333333333, parquet=1 / 3, json=Decimal("0.33333333333333333333")),
    "money": Case("'1234.5'::money", "$1,234.50", xlsx=1234.5),
    "date": Case("'2024-02-29'::date", "2024-02-29", xlsx=DATE, parquet=DATE.date()),
    "date_infinity": Case("'infinity'::date", "infinity"),
    "date_past": Case("'0044-03-15 BC'::date", "0044-03-15 BC"),
    "date_future": Case("'20224-01-01'::date", "20224-01-01"),
    "timestamp": Case("'2024-02-29 13:05:00'::timestamp", "2024-02-29 13:05:00", "2024-02-29 13:05", xlsx=TIME, parquet=TIME, json="2024-02-29T13:05:00"),
    "timestamp_micro": Case("'2024-02-29 13:05:00.000001'::timestamp", "2024-02-29 13:05:00.000001", xlsx=TIME, parquet=TIME.replace(microsecond=1), json="2024-02-29T13:05:00.000001"),
    "timestamp_infinity": Case("'-infinity'::timestamp", "-infinity"),
    "timestamptz": Case("'2024-02-29 13:05:00+00'::timestamptz", "2024-02-29 13:05:00+00", "2024-02-29 13:05", xlsx=TIME, parquet=TIME.replace(tzinfo=dt.UTC), json="2024-02-29T13:05:00+00:00"),
    "time": Case("'13:05'::time", "13:05:00", xlsx=dt.time(13, 5), parquet=dt.time(13, 5)),
    "time_midnight": Case("'24:00'::time", "24:00:00"),
    "timetz": Case("'13:05+02'::timetz", "13:05:00+02"),
    "interval": Case("'1 year 2 mons'::interval", "1 year 2 mons"),
    "interval_negative": Case("'-1 days -02:00:00'::interval", "-1 days -02:00:00"),
    "interval_long": Case("'10000000 years'::interval", "10000000 years"),
    "text": Case("'a ''<b>&'::text", "a '<b>&"),
    "char": Case("'ab'::char(5)", "ab   "),
    "char_internal": Case("""'x'::"char\"""", "x"),
    "name": Case("'n'::name", "n"),
    "uuid": Case("'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    "bytea": Case("'\\x00ff'::bytea", "\\x00ff"),
    "inet": Case("'192.168.1.5'::inet", "192.168.1.5"),
    "cidr": Case("'192.168.0.0/16'::cidr", "192.168.0.0/16"),
    "macaddr": Case("'08:00:2b:01:02:03'::macaddr", "08:00:2b:01:02:03"),
    "bit": Case("B'101'", "101"),
    "jsonb": Case("'{\"a\": 12345678901234567890.12345}'::jsonb", '{"a": 12345678901234567890.12345}', json={"a": Decimal("12345678901234567890.12345")}),
    "json_deep": Case("(repeat('[', 900) || repeat(']', 900))::json", "[" * 900 + "]" * 900, page="[" * 399 + "…", json=...),
    "xml": Case("'<a/>'::text", "<a/>"),
    "array": Case("array[1,2,null]", "{1,2,NULL}", json=[1, 2, None]),
    "array_infinity": Case("'{infinity}'::date[]", "{infinity}", json=["infinity"]),
    "int4range": Case("'[1,5)'::int4range", "[1,5)"),
    "daterange": Case("'[2024-01-01,)'::daterange", "[2024-01-01,)"),
    "composite": Case("row(1, null, 'x')", "(1,,x)", json={"f1": 1, "f2": None, "f3": "x"}),
    "point": Case("point '(1,2)'", "(1,2)"),
    "tsvector": Case("to_tsvector('simple', 'a b')", "'a':1 'b':2"),
    "lsn": Case("'16/B374D848'::pg_lsn", "16/B374D848"),
    "null": Case("null::int", ""),
}  # fmt: skip
SELECT = "select " + ", ".join(f"{case.sql} as {name}" for name, case in CASES.items())


@pytest.fixture
def write(tmp_path: Path):
    def write_format(name: str, sql: str = SELECT) -> Path:
        with open_snapshot() as snapshot:
            export(snapshot, [TableQuery("All", sql)], tmp_path / "f", name)
        return tmp_path / "f"

    return write_format


def expected(field: str) -> dict[str, object]:
    """Return the value of each case in a format: the server's text, unless the case has another."""
    special = {name: getattr(case, field) for name, case in CASES.items()}
    texts = {name: None if name == "null" else case.csv for name, case in CASES.items()}
    return {name: texts[name] if value is None else value for name, value in special.items()}


def test_csv_has_the_text_of_the_server(write):
    header, row = csv.reader(io.StringIO(write("csv").read_text()))
    found = dict(zip(header, row, strict=True))
    texts = {name: case.csv for name, case in CASES.items()}
    assert found == texts


def test_json_has_numbers_with_all_digits_and_texts(write):
    (row,) = json.loads(write("json").read_text(), parse_float=Decimal)
    assert len(row) == len(CASES)
    wanted = expected("json")
    del row["json_deep"], wanted["json_deep"]
    floats = {name: float(row.pop(name)) for name in ("float8", "float8_large")}
    assert floats == {name: wanted.pop(name) for name in floats}
    assert row == wanted


def test_a_workbook_has_numbers_and_dates_where_excel_can_hold_them(write):
    sheet = openpyxl.load_workbook(io.BytesIO(write("xlsx").read_bytes()))["All"]
    names = [str(cell.value) for cell in sheet[1]]
    found = {name: cell.value for name, cell in zip(names, sheet[2], strict=True)}
    wanted = expected("xlsx")
    assert found.pop("numeric_third") == pytest.approx(wanted.pop("numeric_third"), abs=1e-14)
    assert found == wanted


def test_parquet_has_types_and_text_where_there_is_no_equivalent(write):
    (row,) = parquet.read_table(write("parquet")).to_pylist()
    assert repr(row.pop("float8_nan")) == "nan"
    wanted = expected("parquet")
    del wanted["float8_nan"]
    assert row == wanted


class _Cells(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.cells: list[str] = []
        self._open = False

    def handle_starttag(self, tag, attrs):  # noqa: ARG002
        if tag == "td":
            self.cells.append("")
            self._open = True

    def handle_endtag(self, tag):
        self._open = self._open and tag != "td"

    def handle_data(self, data):
        if self._open:
            self.cells[-1] += data


def page_of(sql: str):
    with open_snapshot() as snapshot:
        return render_html(
            Document("All", "now", tables=[fetch_rows(snapshot, TableQuery("All", sql), 5)])
        )


def test_page_and_email_have_the_text_of_the_server():
    html = page_of(SELECT)
    wanted = {name: "–" if name == "null" else value for name, value in expected("page").items()}
    wanted["bool"] = "yes"
    assert cells(html.text) == list(wanted.values())
    shown = cells(html.email)
    assert len(shown) > len(wanted) / 2
    assert shown == list(wanted.values())[: len(shown)]


def cells(text: str) -> list[str]:
    found: list[str] = []
    for body in text.split("<tbody>")[1:]:
        parser = _Cells()
        parser.feed(body.split("</tbody>")[0])
        found += parser.cells[1:] if found else parser.cells
    return found


@pytest.mark.parametrize("name", [name for name in CASES if name not in {"null", "json_deep"}])
def test_pdf_has_the_text_of_the_page(name, tmp_path):
    case = CASES[name]
    render_pdf(page_of(f"select {case.sql} as {name}"), tmp_path / "f.pdf")
    text = "".join(each.extract_text() for each in pypdf.PdfReader(tmp_path / "f.pdf").pages)
    assert "".join((case.page or case.csv).split()) in "".join(text.split())


@pytest.mark.parametrize("columns", [99, 300, 1600])
def test_tables_may_have_many_columns(write, columns):
    sql = "select " + ", ".join(f"{number} as c{number}" for number in range(columns))
    sheet = openpyxl.load_workbook(io.BytesIO(write("xlsx", sql).read_bytes()))["All"]
    assert [cell.value for cell in sheet[2]] == list(range(columns))
    (row,) = json.loads(write("json", sql).read_text())
    assert len(row) == columns
    assert parquet.read_table(write("parquet", sql)).num_columns == columns


def test_a_column_that_parquet_has_no_type_for_is_text_in_all_row_groups(tmp_path):
    sql = (
        "select n, case when n = 90000 then 'infinity' else '2024-01-01'::date + n % 900 end as day,"
        " (case n when 5 then 'NaN' else n::numeric end)::numeric(12,2) as amount, repeat('x', 90) as t"
        " from generate_series(1, 100000) as n"
    )
    for count in (1, 2):  # a file, and files in a zip
        with open_snapshot() as snapshot:
            tables = [TableQuery(f"Days {number}", sql) for number in range(count)]
            written = export(snapshot, tables, tmp_path / "f", "parquet")
        assert written.rows == 100_000 * count
        assert written.notes[0] == (
            "Days 0: values of amount, day have no equivalent in parquet; the column is text."
        )
        assert len(written.notes) == count
    with open_snapshot() as snapshot:
        export(snapshot, tables[:1], tmp_path / "f", "parquet")
    table = parquet.read_table(tmp_path / "f")
    assert table.num_rows == 100_000
    assert table["day"][89_999].as_py() == "infinity"
    assert table["amount"][4].as_py() == "NaN"
    assert table["amount"][5].as_py() == "6.00"


def test_the_cases_have_every_type_that_a_table_can_have():
    """A type of a later PostgreSQL is missed here."""
    types = run_query(
        "select typname from pg_catalog.pg_type where typtype = 'b' and typcategory not in ('A', 'Z')"
        " and typnamespace = 'pg_catalog'::regnamespace and typname !~ '^_|^reg|^pg_|cid|xid|tid|gtsvector|refcursor'"
    )
    shown = set(run_query("select unnest(array[" + ",".join(f"pg_typeof({case.sql})::oid::regtype::oid" for case in CASES.values()) + "])"))  # fmt: skip
    named = set(
        run_query(
            f"select typname from pg_catalog.pg_type where oid in ({','.join(map(str, shown))})"
        )
    )
    assert set(types) - named <= {"float4", "int4", "varchar", "bpchar", "xml", "macaddr8", "varbit", "lseg", "path", "box", "polygon", "line", "circle", "tsquery", "jsonpath", "txid_snapshot", "aclitem", "int2vector", "oidvector"}  # fmt: skip
