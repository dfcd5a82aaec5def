"""What Excel requires of a workbook, in every part and with every type: otherwise it offers a repair."""

import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree as ET

import openpyxl
import pytest
from openpyxl.worksheet.properties import PageSetupProperties

from flows.reports.formats import TableQuery, export, open_snapshot
from tests.support.sql import execute

pytestmark = pytest.mark.usefixtures("environment")

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
TYPES = """select 1 as i, 9007199254740993::bigint as big, 12.345::numeric(12, 2) as money, 1e20::numeric as huge,
  'NaN'::float8 as nan, 'Infinity'::float8 as inf, '-Infinity'::numeric as minus_inf, true as b,
  date '2026-02-03' as d, date '1850-01-01' as before_excel, date 'infinity' as never,
  timestamp '2026-02-03 04:05:06.789' as ts, timestamptz '2026-02-03 04:05:06+02' as tz, time '04:05:06' as t,
  interval '1 day 2h' as span, gen_random_uuid() as u, '{"a": "<&>"}'::jsonb as j, array['a', '=b'] as list,
  bytea '\\x00ff' as bytes, '=1+1' as formula, e'a\\nb\\r\\nc\\td' as lines, e'\\u0001\\u0008\\u000b\\u001f' as controls,
  '_x0041_' as escape, chr(65535) || 'Ärger 😀 <b>&amp;"''' as marks, repeat('x', 40000) as long,
  repeat('😀', 20000) as wide, ']]>' as cdata, '' as empty, null::text as missing, 'x' as "<&>' name"
union all select -2, null, -1.5, null, 1e300, 5e-324, null, null, '1900-02-28', '1900-03-01', '9999-12-31',
  null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null"""
PRINT = ["pageMargins", "pageSetup", "headerFooter"]
ORDER = ["sheetPr", "sheetViews", "cols", "sheetData", "autoFilter", *PRINT]
MAX_TEXT_LENGTH, MAX_NAME_LENGTH = 32_767, 31


@pytest.fixture
def parts(tmp_path: Path) -> dict[str, bytes]:
    """Return the parts of a workbook with several queries, some of them without rows."""
    empty = TableQuery("[Ein sehr langer Titel: history/*?", "select 1 as a where false")
    tables = [TableQuery("history", TYPES), empty, empty]
    with open_snapshot(timezone="Europe/Berlin") as snapshot:
        export(snapshot, tables, tmp_path / "f.xlsx", "xlsx")
    with zipfile.ZipFile(tmp_path / "f.xlsx") as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def sheets(parts: dict[str, bytes]) -> list[ET.Element]:
    names = [name for name in parts if name.startswith("xl/worksheets/")]
    return [ET.fromstring(parts[name]) for name in sorted(names)]  # noqa: S314  # our own


def test_every_part_has_a_type_and_a_relationship(parts):
    types = {name for name in parts if f'"/{name}"'.encode() in parts["[Content_Types].xml"]}
    package_parts = {"[Content_Types].xml", "_rels/.rels", "xl/_rels/workbook.xml.rels"}
    targets = {
        folder + str(relation.get("Target"))
        for folder in ("", "xl/")
        for relation in ET.fromstring(parts[f"{folder}_rels/{rels(folder)}"])  # noqa: S314
    }
    assert types == targets == set(parts) - package_parts


def rels(folder: str) -> str:
    return "workbook.xml.rels" if folder else ".rels"


def test_elements_are_in_the_order_of_the_standard(parts):
    *tables, notes = sheets(parts)
    for sheet in tables:
        assert [child.tag.removeprefix(MAIN) for child in sheet] == ORDER
        pane = sheet.find(f".//{MAIN}pane")
        assert pane is not None
        assert (pane.get("ySplit"), pane.get("state")) == ("1", "frozen")
    assert [child.tag.removeprefix(MAIN) for child in notes] == [
        "sheetPr",
        "cols",
        "sheetData",
        *PRINT,
    ]


def test_sheet_names_are_valid_in_excel(parts):
    book = ET.fromstring(parts["xl/workbook.xml"])  # noqa: S314  # our own
    names = [str(sheet.get("name")) for sheet in book.iter(f"{MAIN}sheet")]
    assert len({name.lower() for name in names}) == len(names) == 4
    for name in names:
        assert 0 < len(name) <= MAX_NAME_LENGTH
        assert not re.search(r"[\[\]:*?/\\]|^'|'$|^history$", name, re.IGNORECASE)


def test_cells_are_numbers_or_text_within_the_limits(parts):
    styles = ET.fromstring(parts["xl/styles.xml"])  # noqa: S314  # our own
    known = len(styles.findall(f"{MAIN}cellXfs/{MAIN}xf"))
    for sheet in sheets(parts):
        for cell in sheet.iter(f"{MAIN}c"):
            assert int(cell.get("s", 0)) < known
            assert not cell.findall(f"{MAIN}f")
            number, text = cell.findtext(f"{MAIN}v"), cell.findtext(f"{MAIN}is/{MAIN}t")
            assert number is None or re.fullmatch(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", number)
            assert len((text or "").encode("utf-16-le")) <= 2 * MAX_TEXT_LENGTH


def test_dates_are_formatted_numbers_and_the_rest_is_text(parts):
    table = sheets(parts)[0]
    header, first, _ = (list(row) for row in table.iter(f"{MAIN}row"))
    names = [cell.findtext(f"{MAIN}is/{MAIN}t") for cell in header]
    cells = dict(zip(names, first, strict=True))
    numbers = {name: cells[name].findtext(f"{MAIN}v") for name in ("d", "i", "money")}
    assert numbers == {"d": "46056", "i": "1", "money": "12.35"}
    assert int(cells["d"].get("s", 0)) > 0
    as_text = ("nan", "big", "before_excel")
    texts = {name: cells[name].findtext(f"{MAIN}is/{MAIN}t") for name in as_text}
    assert texts == {"nan": "NaN", "big": "9007199254740993", "before_excel": "1850-01-01"}
    assert "".join(cells["escape"].itertext()) == "_x005F_x0041_"
    assert "".join(cells["lines"].itertext()) == "a\nb\r\nc\td"
    assert len(first) == len(header) == len(table.findall(f"{MAIN}cols/{MAIN}col"))


def test_sheets_are_printed_in_landscape_with_header_and_footer(tmp_path):
    footer = "Müller & Söhne <EMEA> &P 2026 · Data as of 2026-11-25 06:00 UTC"
    columns = ", ".join(f"repeat('x', 20) as c{number}" for number in range(14))
    queries = [TableQuery("Narrow", "select 1 as a"), TableQuery("It's wide", f"select {columns}")]
    with open_snapshot() as snapshot:
        export(snapshot, queries, tmp_path / "f.xlsx", "xlsx", footer=footer)
    book = openpyxl.load_workbook(tmp_path / "f.xlsx")
    narrow, wide = book.worksheets
    for sheet in (narrow, wide):
        assert sheet.page_setup.orientation == "landscape"
        assert sheet.sheet_properties.pageSetUpPr == PageSetupProperties(fitToPage=True)
        assert sheet.page_setup.fitToHeight == 0
        assert sheet.print_title_rows == "$1:$1"
        found = sheet.oddFooter
        assert found is not None
        assert [part and part.text for part in (found.left, found.right)] == [
            footer.replace("&", "&&"),
            "Page &P of &N",
        ]
    assert (narrow.page_setup.fitToWidth, narrow.print_title_cols) == (1, None)
    assert (wide.page_setup.fitToWidth, wide.print_title_cols) == (2, "$A:$A")


def test_a_time_does_not_depend_on_settings_that_a_function_of_the_query_changes(tmp_path):
    execute(
        "create function public.rounds() returns int language plpgsql as"
        " $$ begin perform set_config('extra_float_digits', '-15', false); return 1; end $$"
    )
    query = (
        "select public.rounds() as n, timestamp '2026-02-03 04:05:06' as ts, time '04:05:06' as t"
    )
    try:
        with open_snapshot() as snapshot:
            export(snapshot, [TableQuery("q", query)], tmp_path / "f.xlsx", "xlsx")
    finally:
        execute("drop function public.rounds()")
    _, moment, clock = openpyxl.load_workbook(tmp_path / "f.xlsx").worksheets[0]["A2:C2"][0]
    assert (str(moment.value)[:19], str(clock.value)[:8]) == ("2026-02-03 04:05:06", "04:05:06")
