"""Comma separated values: UTF-8, a header, line feeds, NULL is nothing and '' is ``""``.

The server writes the file's text. Text that a spreadsheet would take for a formula gets an
apostrophe in front, in the same statement; numbers, dates and what the server formats are left alone.
So does a part of a text behind ``;`` or a tab, with which Excel separates cells in some languages.
A file that was cut says so in its last line, unless it is raw.
"""

from codecs import BOM_UTF8
from typing import BinaryIO

from psycopg2 import sql

from flows.reports.formats.export_context import Job
from flows.reports.formats.formula_escaping import defused, defused_name, defused_parts
from flows.reports.formats.query.columns import TEXTS, Column, Kind
from flows.reports.formats.query.copy import capped
from flows.reports.formats.query.sink import Write
from flows.reports.formats.query.statement import Query, place


def write(job: Job, query: Query, file: BinaryIO) -> None:
    """Header and rows of a query."""
    if job.bom:
        file.write(BOM_UTF8)
    names = query.names if job.raw else tuple(map(defused_name, query.names))
    put = file.write if job.raw else _guarded(file)
    put(",".join(map(_quoted, names)).encode() + b"\n")
    cells = (_cell(number, column, raw=job.raw) for number, column in enumerate(query.columns))
    select = sql.SQL("select {} from {}{}").format(
        sql.SQL(", ").join(cells), query.source, capped(job.max_rows)
    )
    job.copy(query, select, "format csv", put)
    if job.cut:
        put(_quoted(defused_name(job.cut)).encode() + b"\n")


def _guarded(file: BinaryIO) -> Write:
    """Write whole rows, their parts checked: by the buffer, because the server takes longer for cells."""

    def write(rows: bytes | memoryview) -> None:
        file.write(defused_parts(bytes(rows)))

    return write


def _quoted(name: str) -> str:
    special = any(character in name for character in ',"\n\r')
    return '"' + name.replace('"', '""') + '"' if special or not name else name


def _cell(number: int, column: Column, *, raw: bool) -> sql.Composable:
    cell = place(number)
    if column.kind is Kind.BOOLEAN:
        return sql.SQL("{}::text").format(cell)  # true and false, not t and f
    if not raw and column.kind in TEXTS:
        return defused(cell)
    return cell
