"""Sheets of a workbook, compressed while their rows arrive.

Reads nothing; writes to the given archive.
"""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from flows.reports.formats.query.sink import BUFFER_BYTES
from flows.reports.formats.xlsx.cells import REPLACED_MARK, TRUNCATED_MARK
from flows.reports.formats.xlsx.column_widths import column_widths
from flows.reports.formats.xlsx.page_setup import FIT_TO_WIDTH, page_setup, pages_across
from flows.reports.formats.xlsx.table_columns import TableColumns, text_cell
from flows.reports.formats.xlsx.workbook import Sheet, column_letters, sheet_name

MAX_ROWS = 1_048_576
MAX_BYTES = 1_900_000_000
"""Size limit of a sheet's XML: from 2 GiB on the archive needs an extension that Excel may not read."""

_DECLARATION = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
)
_FROZEN_HEADER = (
    '<sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2"'
    ' activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>'
)


@dataclass
class TableStatistics:
    """Number of sheets of a query, and of texts that were truncated or had characters replaced."""

    sheets: int = 0
    truncated: int = 0
    replaced: int = 0


class Sheets:
    """The sheets of a workbook; one is open at a time."""

    def __init__(self, archive: zipfile.ZipFile, footer: str) -> None:
        self.finished: list[Sheet] = []
        self.footer = footer
        self._archive = archive

    def table(self, title: str, columns: TableColumns) -> "TableSheets":
        """Return the sheets of a query, to write its rows to."""
        return TableSheets(self, title, columns)

    def open(self) -> IO[bytes]:
        """Open the next sheet in the archive."""
        number = len(self.finished) + 1
        return self._archive.open(f"xl/worksheets/sheet{number}.xml", "w")

    def add(self, title: str, area: str | None = None, pages: int = 1) -> None:
        """Record a sheet that is complete."""
        name = sheet_name(title, [sheet.name for sheet in self.finished])
        self.finished.append(Sheet(name, area, pages))

    def write_notes(self, notes: Sequence[str]) -> None:
        """Write a sheet with a row for each note."""
        rows = "".join(f"<row>{text_cell(note)}</row>" for note in notes)
        with self.open() as entry:
            columns = '<cols><col min="1" max="1" width="100" customWidth="1"/></cols>'
            setup = page_setup(1, self.footer)
            sheet = f"{_DECLARATION}{FIT_TO_WIDTH}{columns}<sheetData>{rows}</sheetData>{setup}</worksheet>"
            entry.write(sheet.encode())
        self.add("Notes")


class TableSheets:
    """The sheets of one query: takes its rows as XML, one per line."""

    def __init__(self, sheets: Sheets, title: str, columns: TableColumns) -> None:
        self._sheets = sheets
        self._title = title
        self._columns = columns
        self._pages = 1
        self._buffer = bytearray()
        self._entry: IO[bytes] | None = None
        self._rows = 1
        self._bytes = 0
        self._statistics = TableStatistics()

    def write(self, data: bytes | memoryview) -> None:
        """Take some bytes of the rows, not necessarily whole ones."""
        self._buffer += data
        if len(self._buffer) >= BUFFER_BYTES:
            self._flush()

    def finish(self, total_row: str = "") -> TableStatistics:
        """Close the last sheet, below its totals, and return the statistics; there is at least one sheet."""
        self._flush()
        if total_row and self._rows == MAX_ROWS:
            self._close()
            self._open(b"")
        self._close(total_row)
        return self._statistics

    def _flush(self) -> None:
        data = self._without_marks(bytes(self._buffer))
        self._buffer.clear()
        while True:
            if self._entry is None:
                self._open(data)
            end = self._fitting_bytes(data)
            self._put(data[:end])
            if end == len(data):
                return
            data = data[end:]
            self._close()

    def _without_marks(self, data: bytes) -> bytes:
        """Count the marks of changed texts and remove them."""
        truncated, replaced = TRUNCATED_MARK.encode(), REPLACED_MARK.encode()
        if truncated in data:
            self._statistics.truncated += data.count(truncated)
            data = data.replace(truncated, b"")
        if replaced in data:
            self._statistics.replaced += data.count(replaced)
            data = data.replace(replaced, b"")
        return data

    def _fitting_bytes(self, data: bytes) -> int:
        """Return how many bytes fit into this sheet: whole rows, unless all of it fits."""
        rows_left = MAX_ROWS - self._rows
        if self._bytes + len(data) > MAX_BYTES:
            rows_left = min(rows_left, 1)  # up to the end of the row that has begun
        if data.count(b"\n") <= rows_left:
            rest_of_row = data.endswith(b"\n") or data.count(b"\n") < rows_left
            return len(data) if rest_of_row else data.rindex(b"\n") + 1
        end = 0
        for _ in range(rows_left):
            end = data.index(b"\n", end) + 1
        return end

    def _put(self, data: bytes) -> None:
        assert self._entry is not None  # noqa: S101  # opened by _flush
        self._entry.write(data)
        self._rows += data.count(b"\n")
        self._bytes += len(data)

    def _open(self, first: bytes) -> None:
        widths = column_widths(self._columns.columns, self._columns.headings, first)
        self._pages = pages_across(widths)
        columns = "".join(
            f'<col min="{number}" max="{number}" width="{width:g}" customWidth="1"/>'
            for number, width in enumerate(widths, 1)
        )
        self._entry = self._sheets.open()
        self._entry.write(
            f"{_DECLARATION}{FIT_TO_WIDTH}{_FROZEN_HEADER}<cols>{columns}</cols>"
            f"<sheetData>{self._columns.header_row()}".encode()
        )
        self._rows, self._bytes = 1, 0
        self._statistics.sheets += 1

    def _close(self, total_row: str = "") -> None:
        assert self._entry is not None  # noqa: S101
        last = column_letters(len(self._columns.columns))
        setup = page_setup(self._pages, self._sheets.footer)
        with self._entry as entry:
            end = f'{total_row}</sheetData><autoFilter ref="A1:{last}{self._rows}"/>{setup}</worksheet>'
            entry.write(end.encode())
        self._entry = None
        self._sheets.add(self._title, f"$A$1:${last}${self._rows}", self._pages)
