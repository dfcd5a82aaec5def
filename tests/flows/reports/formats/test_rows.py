"""Files exported from a real database, read back with common libraries."""

import csv
import io
import json
import math
import os
import socket
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from pyarrow import parquet

from analytics_worker.database.session_errors import SessionEndedError
from analytics_worker.errors import PermanentError
from flows.reports.formats import (
    ExportResult,
    FormatError,
    Snapshot,
    TableQuery,
    export,
    get_format,
    open_snapshot,
)
from flows.reports.formats import parquet as parquet_format
from flows.reports.formats.xlsx import sheets
from tests.support.attacks import attack

pytestmark = pytest.mark.usefixtures("environment")

MIXED = """select 1 as a, 'x,"y' || e'\\n' as b, null::text as c, '' as d, true as e, '=1+1' as f,
 -5 as g, '\uff1d2' as h, 'NaN'::float8 as i, 1234567890123456789 as a, '{"k":\n1}'::json as j; -- end"""


def write(path: Path, name: str, *queries: str, **options) -> ExportResult:
    tables = [TableQuery(f"Query {number}", query) for number, query in enumerate(queries, 1)]
    with open_snapshot() as snapshot:
        exported = export(snapshot, tables, path, name, **options)
    assert exported.size == path.stat().st_size
    return exported


def rows_of(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_text(), newline="")))


def test_csv_escapes_only_text_and_has_unique_columns(tmp_path):
    write(tmp_path / "f", "csv", MIXED)
    header, row = rows_of(tmp_path / "f")
    assert header == ["a", "b", "c", "d", "e", "f", "g", "h", "i", "a_2", "j"]
    assert row[:9] == ["1", 'x,"y\n', "", "", "true", "'=1+1", "-5", "'\uff1d2", "NaN"]


def test_raw_csv_is_not_escaped(tmp_path):
    write(tmp_path / "f", "csv", MIXED, raw=True)
    assert rows_of(tmp_path / "f")[1][5] == "=1+1"


@pytest.mark.parametrize(("bom", "start"), [(True, b"\xef\xbb\xbfa\n"), (False, b"a\n")])
def test_csv_begins_with_a_byte_order_mark_on_request(tmp_path, bom, start):
    write(tmp_path / "f", "csv", "select 'Ärger' as a", bom=bom)
    assert (tmp_path / "f").read_bytes() == start + "Ärger\n".encode()


@pytest.mark.parametrize("name", ["json", "ndjson"])
@attack(
    by="data",
    what="quotes, control characters and brackets in json and ndjson",
    answer="valid JSON with the same text",
)
def test_json_is_valid_with_any_content(tmp_path, name):
    write(tmp_path / "f", name, MIXED)
    content = json.loads((tmp_path / "f").read_text())
    row = content[0] if name == "json" else content
    assert row["a_2"] == 1234567890123456789
    assert (row["i"], row["j"], row["f"]) == ("NaN", {"k": 1}, "=1+1")


@attack(
    by="data",
    what="a formula among typed cells of a workbook",
    answer="no cell is a formula",
)
def test_xlsx_has_types_and_no_formulas(tmp_path):
    write(tmp_path / "f.xlsx", "excel", MIXED)
    sheet = openpyxl.load_workbook(tmp_path / "f.xlsx")["Query 1"]
    cells = list(sheet[2])
    assert [cell.value for cell in cells[:2]] == [1, 'x,"y\n']
    assert (cells[4].value, cells[6].value, cells[9].value) == (True, -5, "1234567890123456789")
    assert (cells[5].value, cells[5].data_type, cells[5].quotePrefix) == ("=1+1", "s", True)
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A2", "A1:K2")


NINE = "select n from generate_series(1, 9) n"
TRUNCATION_NOTE = "Query 1: only the first 3 rows; there are more."


@pytest.mark.parametrize("name", ["csv", "json", "ndjson", "xlsx", "parquet"])
def test_row_limit_is_noted_in_the_result_and_in_the_file(tmp_path, name):
    exported = write(tmp_path / "f", name, NINE, max_rows=3)
    assert (exported.rows, exported.truncated, exported.notes) == (3, True, (TRUNCATION_NOTE,))
    assert last_note(tmp_path / "f", name) == TRUNCATION_NOTE
    assert not write(tmp_path / "g", name, NINE, max_rows=9).truncated


def last_note(path: Path, name: str) -> str:
    match name:
        case "csv":
            return rows_of(path)[-1][0]
        case "json":
            return json.loads(path.read_text())[-1]["note"]
        case "ndjson":
            return json.loads(path.read_text().splitlines()[-1])["note"]
        case "xlsx":
            return str(openpyxl.load_workbook(io.BytesIO(path.read_bytes()))["Notes"]["A1"].value)
        case _:
            return parquet.read_metadata(path).metadata[b"notes"].decode()


@pytest.mark.parametrize(("name", "end"), [("csv", "3"), ("ndjson", '{"n":3}'), ("json", "]")])
def test_raw_file_has_only_rows(tmp_path, name, end):
    write(tmp_path / "f", name, NINE, max_rows=3, raw=True)
    assert (tmp_path / "f").read_text().splitlines()[-1] == end


def test_parquet_has_types(tmp_path):
    query = """select 1 as i, 0.5::float8 as f, 12.30::numeric(9, 2) as exact, 1.5::numeric as loose,
        true as b, date '2026-02-03' as d, timestamptz '2026-02-03 04:05:06.789+02' as at, '' as empty,
        null::text as missing, e'=a,"b"\nc' as text, 'NaN'::float8 as nan, array[1, 2] as list"""
    write(tmp_path / "f", "parquet", query)
    (row,) = parquet.read_table(tmp_path / "f").to_pylist()
    assert math.isnan(row.pop("nan"))
    assert row == {
        "i": 1,
        "f": 0.5,
        "exact": Decimal("12.30"),
        "loose": 1.5,
        "b": True,
        "d": date(2026, 2, 3),
        "at": datetime(2026, 2, 3, 2, 5, 6, 789000, tzinfo=UTC),
        "empty": "",
        "missing": None,
        "text": '=a,"b"\nc',
        "list": "{1,2}",
    }


def test_parquet_of_many_row_groups_is_complete(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_format, "GROUP_BYTES", 1000)
    write(tmp_path / "f", "parquet", "select n, repeat('x', n % 90) from generate_series(1, 500) n")
    file = parquet.ParquetFile(tmp_path / "f")
    assert file.num_row_groups > 10
    assert file.read().column("n").to_pylist() == list(range(1, 501))


def test_full_sheet_is_followed_by_another(tmp_path, monkeypatch):
    monkeypatch.setattr(sheets, "MAX_ROWS", 4)
    write(tmp_path / "f.xlsx", "xlsx", "select n from generate_series(1, 8) n")
    book = openpyxl.load_workbook(tmp_path / "f.xlsx")
    rows = {sheet.title: [row[0].value for row in sheet] for sheet in book}
    assert rows.pop("Notes") == ["Query 1: the rows are on 3 sheets, because one can't hold all."]
    assert list(rows.values()) == [["n", 1, 2, 3], ["n", 4, 5, 6], ["n", 7, 8]]


def test_full_disk_leaves_no_file(tmp_path):
    (tmp_path / "f").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path / "f", "csv", "select repeat('x', 1000) from generate_series(1, 1000)")
    assert not (tmp_path / "f").is_symlink()


LARGE = TableQuery("Large", "select n, repeat('x', 200) from generate_series(1, 2000000) n")


def shut_down_socket(snapshot: Snapshot) -> None:
    with socket.socket(fileno=os.dup(snapshot.connection.fileno())) as connection:
        connection.shutdown(socket.SHUT_RDWR)


def test_dropped_connection_leaves_no_file(tmp_path):
    with pytest.raises(SessionEndedError), open_snapshot() as snapshot:
        export(
            snapshot,
            [LARGE],
            tmp_path / "f",
            "csv",
            progress=lambda _rows: shut_down_socket(snapshot),
        )
    assert not (tmp_path / "f").exists()


def test_empty_result_has_a_header_and_valid_json(tmp_path):
    write(tmp_path / "c", "csv", "select 1 as a where false")
    write(tmp_path / "j", "json", "select 1 as a where false")
    assert rows_of(tmp_path / "c") == [["a"]]
    assert json.loads((tmp_path / "j").read_text()) == []


def test_several_queries_become_a_zip_of_csv(tmp_path):
    write(tmp_path / "f", "csv", "select 1 as a", "select 2 as b")
    assert zipfile.ZipFile(tmp_path / "f").namelist() == ["query-1.csv", "query-2.csv"]


@pytest.mark.parametrize(
    "attack",
    [
        "select 1) to program 'touch /tmp/attacked' /*",
        "select 1; drop table x",
        "select 1) to stdout; select (2",
        "with gone as (delete from pg_class returning 1) select * from gone",
        "select",
        "select * from nothing_here",
    ],
)
def test_statement_that_is_not_one_select_leaves_no_file(tmp_path, attack):
    with pytest.raises(PermanentError):
        write(tmp_path / "f", "csv", attack)
    assert not (tmp_path / "f").exists()


def test_unknown_format_is_refused_with_the_known_ones():
    with pytest.raises(FormatError, match="csv, excel, html, json, ndjson, parquet, pdf, xlsx"):
        get_format("docx")
