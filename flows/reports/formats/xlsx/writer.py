"""Excel workbooks: a sheet for each query, and another one wherever a sheet is full.

The server makes the XML of each row (`_cells`), which is packed as it arrives; nothing is held but the
first rows of a sheet, from which its column widths are taken. What was cut is said on a sheet of notes.
"""

import zipfile
from collections.abc import Sequence
from typing import BinaryIO

from psycopg2 import sql

from flows.reports.formats.export_context import Job
from flows.reports.formats.query.columns import Kind
from flows.reports.formats.query.copy import VERBATIM, capped
from flows.reports.formats.query.statement import Query, place
from flows.reports.formats.xlsx import workbook as parts
from flows.reports.formats.xlsx.cells import LONGEST_TEXT, cell_xml
from flows.reports.formats.xlsx.sheets import Sheets, Written
from flows.reports.formats.xlsx.styles import Styles


def write(job: Job, file: BinaryIO) -> None:
    """A workbook of all queries."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("_rels/.rels", parts.relations())
        archive.writestr("docProps/core.xml", parts.core_properties(job.queries[0].title))
        archive.writestr("docProps/app.xml", parts.app_properties())
        styles, sheets = Styles(), Sheets(archive)
        for query in job.queries:
            table = sheets.table(query)
            job.copy(query, _rows(query, styles, job.max_rows, raw=job.raw), VERBATIM, table.write)
            _note(job, query, table.finish())
        if job.notes:
            sheets.write_notes(job.notes)
        _write_parts(archive, styles, sheets.finished)


def _rows(query: Query, styles: Styles, limit: int | None, *, raw: bool) -> sql.Composable:
    cells = sql.SQL(",\n").join(
        cell_xml(place(number), column, styles, raw=raw)
        for number, column in enumerate(query.columns)
    )
    return sql.SQL("select concat('<row>', {}, '</row>') from {}{}").format(
        cells, query.source, capped(limit)
    )


def _note(job: Job, query: Query, written: Written) -> None:
    """What the readers of the workbook must know of a table."""
    if written.cut:
        job.truncated = True
        job.notes.append(
            f"{query.title}: {written.cut:,} texts were cut to {LONGEST_TEXT:,} characters, the most"
            " that a cell of Excel holds."
        )
    if written.replaced:
        job.notes.append(
            f"{query.title}: control characters in {written.replaced:,} texts are shown as \ufffd."
        )
    if written.sheets > 1:
        job.notes.append(f"{query.title}: on {written.sheets} sheets, as one can't hold all rows.")
    if any(column.kind is Kind.INSTANT for column in query.columns):
        job.notes.append(f"{query.title}: times are in {job.snapshot.timezone}.")


def _write_parts(archive: zipfile.ZipFile, styles: Styles, sheets: Sequence[parts.Sheet]) -> None:
    archive.writestr("xl/styles.xml", styles.xml())
    archive.writestr("xl/workbook.xml", parts.workbook(sheets))
    archive.writestr("xl/_rels/workbook.xml.rels", parts.workbook_relations(len(sheets)))
    archive.writestr("[Content_Types].xml", parts.content_types(len(sheets)))
