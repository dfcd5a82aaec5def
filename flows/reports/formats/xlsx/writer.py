"""Excel workbooks: a sheet for each query, and another one whenever a sheet is full.

The server produces the XML of each row, which is compressed as it arrives. Only the first rows of a sheet
are buffered, to compute its column widths. What was truncated, or lacks data, is listed on
a sheet of notes.
"""

import zipfile
from collections.abc import Sequence
from typing import BinaryIO

from psycopg2 import sql

from flows.reports.formats.archive import Archive
from flows.reports.formats.export_context import ExportContext
from flows.reports.formats.query.columns import ColumnKind
from flows.reports.formats.query.copy import VERBATIM
from flows.reports.formats.query.statement import PreparedQuery
from flows.reports.formats.query.totals import fetch_totals
from flows.reports.formats.xlsx import workbook as parts
from flows.reports.formats.xlsx.cells import MAX_TEXT_LENGTH
from flows.reports.formats.xlsx.sheets import Sheets, TableStatistics
from flows.reports.formats.xlsx.styles import Styles
from flows.reports.formats.xlsx.table_columns import TableColumns

MAX_ARGUMENTS = 90
"""Cells of one call of ``concat``: PostgreSQL's functions take 100 arguments."""


def write(context: ExportContext, file: BinaryIO) -> None:
    """Write a workbook with all queries."""
    with Archive(file) as archive:
        archive.writestr("_rels/.rels", parts.package_relationships())
        archive.writestr("docProps/core.xml", parts.core_properties(context.queries[0].title))
        archive.writestr("docProps/app.xml", parts.app_properties())
        styles, sheets = Styles(), Sheets(archive, context.footer)
        for query in context.queries:
            columns = TableColumns(query, styles, raw=context.raw)
            table = sheets.table(query.title, columns)
            rows = context.copy(query, _row(columns), VERBATIM, table.write)
            total_row = _total_row(context, query, columns) if rows else ""
            _add_notes(context, query, table.finish(total_row))
        if notes := [*context.sheet_notes, *context.notes]:
            sheets.write_notes(notes)
        _write_parts(archive, styles, sheets.finished)


def _total_row(context: ExportContext, query: PreparedQuery, columns: TableColumns) -> str:
    """Return the XML of the row of totals; none in raw files, which have only rows."""
    totals = None if context.raw else fetch_totals(context.snapshot, query, context.max_rows)
    return columns.total_row(totals) if totals else ""


def _row(columns: TableColumns) -> sql.Composable:
    cells = columns.cells()
    groups = [cells[start : start + MAX_ARGUMENTS] for start in range(0, len(cells), MAX_ARGUMENTS)]
    row = sql.SQL(", ").join(
        sql.SQL("concat({})").format(sql.SQL(",\n").join(group)) for group in groups
    )
    return sql.SQL("concat('<row>', {}, '</row>')").format(row)


def _add_notes(context: ExportContext, query: PreparedQuery, statistics: TableStatistics) -> None:
    """Add the notes for readers of a table."""
    if statistics.truncated:
        context.truncated = True
        context.notes.append(
            f"{query.title}: {statistics.truncated:,} texts were truncated to {MAX_TEXT_LENGTH:,} characters,"
            " the maximum of a cell in Excel."
        )
    if statistics.replaced:
        context.notes.append(
            f"{query.title}: control characters in {statistics.replaced:,} texts are shown as \ufffd."
        )
    if statistics.sheets > 1:
        context.notes.append(
            f"{query.title}: the rows are on {statistics.sheets} sheets, because one can't hold all."
        )
    if any(column.kind is ColumnKind.INSTANT for column in query.columns):
        context.notes.append(f"{query.title}: times are in {context.snapshot.timezone}.")


def _write_parts(archive: zipfile.ZipFile, styles: Styles, sheets: Sequence[parts.Sheet]) -> None:
    archive.writestr("xl/styles.xml", styles.xml())
    archive.writestr("xl/workbook.xml", parts.workbook(sheets))
    archive.writestr("xl/_rels/workbook.xml.rels", parts.workbook_relationships(len(sheets)))
    archive.writestr("[Content_Types].xml", parts.content_types(len(sheets)))
