"""Comma-separated values: UTF-8, a header, line feeds; NULL is empty and '' is ``""``.

The server writes the file's text. Text that a spreadsheet would interpret as a formula is prefixed with an
apostrophe in the same statement. Numbers, dates and other values are left as they are. So is a part of a
text after ``;`` or a tab, with which Excel separates cells in some languages. The last line of a truncated
file is a note, unless it is raw.
"""

from codecs import BOM_UTF8
from typing import BinaryIO

from psycopg2 import sql

from flows.reports.formats.export_context import ExportContext
from flows.reports.formats.formula_escaping import (
    escape_formula,
    escape_formula_parts,
    escape_formula_text,
)
from flows.reports.formats.query.columns import TEXTS, Column, ColumnKind, printed_text
from flows.reports.formats.query.copy import CSV
from flows.reports.formats.query.sink import Write
from flows.reports.formats.query.statement import PreparedQuery, column_identifier


def write(context: ExportContext, query: PreparedQuery, file: BinaryIO) -> None:
    """Write header and rows of a query."""
    if context.bom:
        file.write(BOM_UTF8)
    names = query.names if context.raw else tuple(map(escape_formula_text, query.names))
    write = file.write if context.raw else _escaping(file)
    write(",".join(map(_quoted, names)).encode() + b"\n")
    cells = (_cell(number, column, raw=context.raw) for number, column in enumerate(query.columns))
    context.copy(query, sql.SQL(", ").join(cells), CSV, write)
    if context.truncation_note:
        write(_quoted(escape_formula_text(context.truncation_note)).encode() + b"\n")


def _escaping(file: BinaryIO) -> Write:
    """Write whole rows with their parts escaped: per buffer, because the server takes longer per cell."""

    def write(rows: bytes | memoryview) -> None:
        file.write(escape_formula_parts(bytes(rows)))

    return write


def _quoted(name: str) -> str:
    special = any(character in name for character in ',"\n\r')
    return '"' + name.replace('"', '""') + '"' if special or not name else name


def _cell(number: int, column: Column, *, raw: bool) -> sql.Composable:
    cell = column_identifier(number)
    if column.kind is ColumnKind.BOOLEAN:
        return sql.SQL("{}::text").format(cell)  # true and false, not t and f
    if not raw and column.kind in TEXTS:
        return escape_formula(printed_text(cell, column.kind))
    return cell
