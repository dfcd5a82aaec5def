"""Sheets of a workbook, packed while their rows arrive.

Reads nothing; writes to the archive that it is given.
"""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from flows.reports.formats.query.sink import BUFFER_BYTES
from flows.reports.formats.query.statement import Query
from flows.reports.formats.xlsx.cells import CUT_MARK, REPLACED_MARK
from flows.reports.formats.xlsx.column_widths import widths
from flows.reports.formats.xlsx.styles import Styles
from flows.reports.formats.xlsx.workbook import Sheet, clean, column_letters, sheet_name

MOST_ROWS = 1_048_576
MOST_BYTES = 1_900_000_000
"""Of a sheet's XML: from 2 GiB on the archive needs an extension that Excel may not read."""

_DECLARATION = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
)
_FROZEN = (
    '<sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2"'
    ' activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>'
)


@dataclass
class Written:
    """What came of a query: the sheets it took, and texts that are not what they were."""

    sheets: int = 0
    cut: int = 0
    replaced: int = 0


class Sheets:
    """All sheets of a workbook; one is open at a time."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        """None yet."""
        self.finished: list[Sheet] = []
        self._archive = archive

    def table(self, query: Query) -> "TableSheets":
        """The sheets of a query."""
        return TableSheets(self, query)

    def open(self) -> IO[bytes]:
        """The next sheet's part of the archive."""
        number = len(self.finished) + 1
        return self._archive.open(f"xl/worksheets/sheet{number}.xml", "w")

    def add(self, title: str, area: str | None = None) -> None:
        """A sheet is written."""
        name = sheet_name(title, [sheet.name for sheet in self.finished])
        self.finished.append(Sheet(name, area))

    def write_notes(self, notes: Sequence[str]) -> None:
        """A sheet with a line for each note."""
        rows = "".join(f"<row>{_text_cell(note)}</row>" for note in notes)
        with self.open() as entry:
            columns = '<cols><col min="1" max="1" width="100" customWidth="1"/></cols>'
            sheet = f"{_DECLARATION}{columns}<sheetData>{rows}</sheetData></worksheet>"
            entry.write(sheet.encode())
        self.add("Notes")


class TableSheets:
    """The sheets of one query: takes its rows as XML, a line each."""

    def __init__(self, sheets: Sheets, query: Query) -> None:
        """Nothing is written before the first rows are there."""
        self._sheets = sheets
        self._query = query
        self._held = bytearray()
        self._entry: IO[bytes] | None = None
        self._rows = 1
        self._bytes = 0
        self._written = Written()

    def write(self, data: bytes | memoryview) -> None:
        """Some bytes of the rows, not always whole ones."""
        self._held += data
        if len(self._held) >= BUFFER_BYTES:
            self._pass_on()

    def finish(self) -> Written:
        """Close the last sheet; there is at least one."""
        self._pass_on()
        self._close()
        return self._written

    def _pass_on(self) -> None:
        data = self._unmarked(bytes(self._held))
        self._held.clear()
        while True:
            if self._entry is None:
                self._open(data)
            end = self._fitting(data)
            self._put(data[:end])
            if end == len(data):
                return
            data = data[end:]
            self._close()

    def _unmarked(self, data: bytes) -> bytes:
        cut, replaced = CUT_MARK.encode(), REPLACED_MARK.encode()
        if cut in data:
            self._written.cut += data.count(cut)
            data = data.replace(cut, b"")
        if replaced in data:
            self._written.replaced += data.count(replaced)
            data = data.replace(replaced, b"")
        return data

    def _fitting(self, data: bytes) -> int:
        """How much of it belongs to this sheet: whole rows, unless all of it does."""
        room = MOST_ROWS - self._rows
        if self._bytes + len(data) > MOST_BYTES:
            room = min(room, 1)  # to the end of the row that has begun
        if data.count(b"\n") <= room:
            rest_of_row = data.endswith(b"\n") or data.count(b"\n") < room
            return len(data) if rest_of_row else data.rindex(b"\n") + 1
        end = 0
        for _ in range(room):
            end = data.index(b"\n", end) + 1
        return end

    def _put(self, data: bytes) -> None:
        assert self._entry is not None  # noqa: S101  # opened by _pass_on
        self._entry.write(data)
        self._rows += data.count(b"\n")
        self._bytes += len(data)

    def _open(self, first: bytes) -> None:
        columns = "".join(
            f'<col min="{number}" max="{number}" width="{width:g}" customWidth="1"/>'
            for number, width in enumerate(widths(self._query.columns, first), 1)
        )
        header = "".join(_text_cell(name, Styles.HEADER) for name in self._query.names)
        self._entry = self._sheets.open()
        self._entry.write(
            f"{_DECLARATION}{_FROZEN}<cols>{columns}</cols>"
            f"<sheetData><row>{header}</row>\n".encode()
        )
        self._rows, self._bytes = 1, 0
        self._written.sheets += 1

    def _close(self) -> None:
        assert self._entry is not None  # noqa: S101
        last = column_letters(len(self._query.columns))
        with self._entry as entry:
            end = f'</sheetData><autoFilter ref="A1:{last}{self._rows}"/></worksheet>'
            entry.write(end.encode())
        self._entry = None
        self._sheets.add(self._query.title, f"$A$1:${last}${self._rows}")


def _text_cell(text: str, style: int = 0) -> str:
    return f'<c s="{style}" t="inlineStr"><is><t xml:space="preserve">{clean(text)}</t></is></c>'
