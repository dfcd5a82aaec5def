"""JSON: an array of objects, or an object of such arrays by title; ndjson: one object per line.

The server formats each object, so numbers keep their digits and instants their time zone. NaN and infinity
have no JSON number and are the texts ``"NaN"`` and ``"Infinity"``; bytes are hexadecimal. The last object of
a truncated file is a ``note``, unless it is raw.
"""

import json
from typing import BinaryIO

from psycopg2 import sql

from flows.reports.formats.export_context import ExportContext
from flows.reports.formats.query.columns import ColumnKind, unique_names
from flows.reports.formats.query.copy import VERBATIM, limit_clause
from flows.reports.formats.query.statement import PreparedQuery, column_identifier


def write_lines(context: ExportContext, query: PreparedQuery, file: BinaryIO) -> None:
    """Write one object per line."""
    context.copy(query, _objects(query, context.max_rows, ""), VERBATIM, file.write)
    if context.truncation_note:
        file.write(_note(context.truncation_note) + b"\n")


def write_document(context: ExportContext, file: BinaryIO) -> None:
    """Write an array; for several queries, an object with an array for each title."""
    if len(context.queries) == 1:
        _write_array(context, context.queries[0], file)
        file.write(b"\n")
        return
    titles = unique_names([query.title for query in context.queries])
    for number, (title, query) in enumerate(zip(titles, context.queries, strict=True)):
        file.write((b",\n" if number else b"{\n") + json.dumps(title).encode() + b": ")
        _write_array(context, query, file)
    file.write(b"\n}\n")


def _write_array(context: ExportContext, query: PreparedQuery, file: BinaryIO) -> None:
    file.write(b"[\n")
    rows = context.copy(query, _objects(query, context.max_rows, ","), VERBATIM, file.write)
    if context.truncation_note:
        file.write(_note(context.truncation_note) + b"\n")
    elif rows:
        file.seek(-2, 1)  # the comma and the line feed after the last object
        file.write(b"\n")
    file.write(b"]")


def _note(text: str) -> bytes:
    """Return the last object of a truncated file, which programs can distinguish from a row."""
    return json.dumps({"note": text}, ensure_ascii=False).encode()


def _objects(query: PreparedQuery, limit: int | None, end: str) -> sql.Composable:
    columns = sql.SQL(", ").join(
        sql.SQL("{} as {}").format(column_identifier(number), sql.Identifier(name))
        for number, name in enumerate(query.names)
    )
    text = sql.SQL("row_to_json(r)::text")
    if any(column.kind in {ColumnKind.JSON, ColumnKind.OTHER} for column in query.columns):
        # json keeps the line breaks that its author typed; other types escape them
        text = sql.SQL("translate({}, e'\\n\\r', '  ')").format(text)
    if end:
        text = sql.SQL("{} || {}").format(text, sql.Literal(end))
    return sql.SQL("select {} from (select {} from {}) as r{}").format(
        text, columns, query.source, limit_clause(limit)
    )
