"""Formula injection: every character that can start a formula, in every format."""

import csv
import io
from pathlib import Path

import openpyxl
import pytest

from flows.reports.formats import TableQuery, export, open_snapshot
from flows.reports.formats.formula_escaping import FORMULA_PREFIXES
from tests.support.attacks import attack

pytestmark = pytest.mark.usefixtures("environment")

NAMES = {
    "=": "equals",
    "+": "plus",
    "-": "minus",
    "@": "at",
    "\t": "tab",
    "\r": "carriage return",
    "\n": "line feed",
    "\uff1d": "wide equals",
    "\uff0b": "wide plus",
    "\uff0d": "wide minus",
    "\uff20": "wide at",
}
every_prefix = pytest.mark.parametrize("prefix", NAMES, ids=NAMES.get)
SQL = """select :text as note, cast(:text as varchar(99)) as short, array[:text] as list, -5 as lost,
 -5.25 as paid, -0.5::float8 as rate, :number as typed, 'a' || :text as inside"""


def write(path: Path, name: str, prefix: str, *, raw: bool = False) -> None:
    text = f"{prefix}cmd|' /C calc'!A0,\"x\""
    with open_snapshot() as snapshot:
        export(
            snapshot, [TableQuery("T", SQL, {"text": text, "number": "-5"})], path, name, raw=raw
        )


def row_of(path: Path) -> list[str]:
    return list(csv.reader(io.StringIO(path.read_bytes().decode(), newline="")))[1]


def test_every_prefix_is_tested():
    assert set(NAMES) == set(FORMULA_PREFIXES)


@every_prefix
@attack(
    by="data",
    what="a formula as text in csv, with every character that can start one",
    answer="prefixed with an apostrophe",
)
def test_csv_prefixes_only_text(tmp_path, prefix):
    write(tmp_path / "f", "csv", prefix)
    note, short, _, *numbers, typed, inside = row_of(tmp_path / "f")
    assert note == short == f"'{prefix}cmd|' /C calc'!A0,\"x\""
    assert numbers == ["-5", "-5.25", "-0.5"]
    assert (typed, inside) == ("'-5", f"a{note[1:]}"), "a number in a column of text is text"


@every_prefix
def test_raw_csv_is_not_escaped(tmp_path, prefix):
    write(tmp_path / "f", "csv", prefix, raw=True)
    note, *_, typed, _ = row_of(tmp_path / "f")
    assert (note, typed) == (f"{prefix}cmd|' /C calc'!A0,\"x\"", "-5")


@every_prefix
@pytest.mark.parametrize("raw", [False, True], ids=["escaped", "raw"])
@attack(
    by="data",
    what="a formula as text in xlsx",
    answer="a text cell that stays text when edited",
)
def test_workbook_text_stays_text_when_edited(tmp_path, prefix, raw):
    write(tmp_path / "f.xlsx", "xlsx", prefix, raw=raw)
    note, short, _, *numbers, typed, inside = openpyxl.load_workbook(tmp_path / "f.xlsx")["T"][2]
    assert note.value == short.value == f"{prefix}cmd|' /C calc'!A0,\"x\""
    assert {cell.data_type for cell in (note, short, typed, inside)} == {"s"}
    assert {cell.quotePrefix for cell in (note, short, typed)} == {not raw}
    assert [cell.value for cell in numbers] == [-5, -5.25, -0.5]
    assert (typed.value, inside.quotePrefix) == ("-5", False)


@every_prefix
@attack(
    by="author",
    what="a formula as the name of a column",
    answer="text in csv and xlsx",
)
def test_header_is_escaped_too(tmp_path, prefix):
    with open_snapshot() as snapshot:
        for name in ("csv", "xlsx"):
            table = TableQuery("T", f'select 1 as "{prefix}x"')
            export(snapshot, [table], tmp_path / f"f.{name}", name)
    with (tmp_path / "f.csv").open(newline="") as file:
        assert next(csv.reader(file)) == [f"'{prefix}x"]
    assert openpyxl.load_workbook(tmp_path / "f.xlsx")["T"]["A1"].data_type == "s"


SEPARATORS = (";", "; ", '; "', "\t", '\t ""', ";\u00a0", ";;", "; \t")


@pytest.mark.parametrize("start", [s for s in NAMES if not s.isspace()], ids=NAMES.get)
@attack(
    by="data",
    what="a formula behind a ; or a tab, with which Excel separates cells in some languages, in text or a column's name",
    answer="an apostrophe in front of it",
)
def test_parts_of_a_text_are_no_cells_with_formulas(tmp_path, start):
    texts = [f"Ann{between}{start}cmd|'' /C calc''!A0" for between in SEPARATORS]
    values = ", ".join(f"({number}, '{text}')" for number, text in enumerate(texts))
    query = f"select * from (values {values}, (-5, 'a;b\t-;'), (99, '{start};')) as t (n, \"n;{start}x\") order by n"
    with open_snapshot() as snapshot:
        for name, raw in (("f", False), ("raw", True)):
            export(snapshot, [TableQuery("T", query)], tmp_path / name, "csv", raw=raw)
    guarded, raw = (
        list(csv.reader(io.StringIO((tmp_path / name).read_text(), newline="")))
        for name in ("f", "raw")
    )
    assert guarded[0] == ["n", f"n;'{start}x"]
    assert guarded[1] == ["-5", "a;b\t'-;"]
    assert guarded[2:-1] == [
        [number, text.replace(start, f"'{start}")] for number, text in raw[2:-1]
    ]
    assert guarded[-1] == ["99", f"'{start};"]
    assert raw[2:-1] == [[str(n), text.replace("''", "'")] for n, text in enumerate(texts)]


def test_parts_are_found_wherever_a_buffer_ends(tmp_path):
    query = """select repeat('y', n % 997) || ';=1' as a, -n as b, ';' as c from generate_series(1, 20000) as n
        union all select repeat('z', 3000000) || ';=1', -1, ';'"""
    with open_snapshot() as snapshot:
        export(snapshot, [TableQuery("T", query)], tmp_path / "f", "csv")
    content = (tmp_path / "f").read_bytes()
    assert content.count(b";'=1,-") == 20_001
    assert b";=" not in content
    assert b"'-" not in content


def test_the_sentence_about_a_cut_is_no_formula(tmp_path):
    with open_snapshot() as snapshot:
        table = TableQuery("=1;=1", "select 1 as n union all select 2")
        export(snapshot, [table], tmp_path / "f", "csv", max_rows=1)
    assert (tmp_path / "f").read_text().splitlines()[-1].startswith("'=1;'=1: only the first 1")
