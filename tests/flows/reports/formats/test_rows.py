"""Files of a real database, read back with what people read them with."""

import csv
import io
import json
import zipfile
from pathlib import Path

import openpyxl
import pytest

from flows.reports.formats import Exported, FormatError, Table, export, format_named, snapshot
from toolkit.errors import PermanentError

pytestmark = pytest.mark.usefixtures("environment")

MIXED = """select 1 as a, 'x,"y' || e'\\n' as b, null::text as c, '' as d, true as e, '=1+1' as f,
 -5 as g, '\uff1d2' as h, 'NaN'::float8 as i, 1234567890123456789 as a, '{"k":\n1}'::json as j; -- end"""


def write(path: Path, name: str, *queries: str, **options) -> Exported:
    tables = [Table(f"Query {number}", query) for number, query in enumerate(queries, 1)]
    with snapshot() as moment:
        exported = export(moment, tables, path, name, **options)
    assert exported.size == path.stat().st_size
    return exported


def rows_of(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_text(), newline="")))


def test_csv_defuses_text_only_and_names_columns_once(tmp_path):
    write(tmp_path / "f", "csv", MIXED)
    header, row = rows_of(tmp_path / "f")
    assert header == ["a", "b", "c", "d", "e", "f", "g", "h", "i", "a_2", "j"]
    assert row[:9] == ["1", 'x,"y\n', "", "", "true", "'=1+1", "-5", "'\uff1d2", "NaN"]


def test_raw_csv_is_left_alone(tmp_path):
    write(tmp_path / "f", "csv", MIXED, raw=True)
    assert rows_of(tmp_path / "f")[1][5] == "=1+1"


@pytest.mark.parametrize("name", ["json", "ndjson"])
def test_json_is_valid_whatever_is_in_it(tmp_path, name):
    write(tmp_path / "f", name, MIXED)
    read = json.loads((tmp_path / "f").read_text())
    row = read[0] if name == "json" else read
    assert row["a_2"] == 1234567890123456789
    assert (row["i"], row["j"], row["f"]) == ("NaN", {"k": 1}, "=1+1")


def test_xlsx_has_types_and_no_formulas(tmp_path):
    write(tmp_path / "f.xlsx", "excel", MIXED)
    sheet = openpyxl.load_workbook(tmp_path / "f.xlsx")["Query 1"]
    cells = list(sheet[2])
    assert [cell.value for cell in cells[:2]] == [1, 'x,"y\n']
    assert (cells[4].value, cells[6].value, cells[9].value) == (True, -5, "1234567890123456789")
    assert (cells[5].value, cells[5].data_type, cells[5].quotePrefix) == ("=1+1", "s", True)
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A2", "A1:K2")


@pytest.mark.parametrize("name", ["csv", "json", "ndjson", "xlsx"])
def test_a_cap_is_stated(tmp_path, name):
    exported = write(tmp_path / "f", name, "select n from generate_series(1, 9) n", max_rows=3)
    assert (exported.rows, exported.truncated) == (3, True)
    assert exported.notes == ("Query 1: only the first 3 rows; there are more.",)


def test_no_rows_leave_the_header_and_valid_json(tmp_path):
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
def test_what_is_not_one_reading_statement_leaves_no_file(tmp_path, attack):
    with pytest.raises(PermanentError):
        write(tmp_path / "f", "csv", attack)
    assert not (tmp_path / "f").exists()


def test_an_unknown_format_names_the_known_ones():
    with pytest.raises(FormatError, match="csv, excel, html, json, ndjson, pdf, xlsx"):
        format_named("docx")
