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
from flows.reports.formats.query.copy import VERBATIM
from flows.reports.formats.query.statement import PreparedQuery, column_identifier


def write_lines(context: ExportContext, query: PreparedQuery, file: BinaryIO) -> None:
    """Write one object per line."""
    context.copy(query, _object(query, ""), VERBATIM, file.write, join=_named_row(query))
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
    cells, join = _object(query, ","), _named_row(query)
    rows = context.copy(query, cells, VERBATIM, file.write, join=join)
    if context.truncation_note:
        file.write(_note(context.truncation_note) + b"\n")
    elif rows:
        file.seek(-2, 1)  # the comma and the line feed after the last object
        file.write(b"\n")
    file.write(b"]")


def _note(text: str) -> bytes:
    """Return the last object of a truncated file, which programs can distinguish from a row."""
    return json.dumps({"note": text}, ensure_ascii=False).encode()


def _object(query: PreparedQuery, end: str) -> sql.Composable:
    """Return SQL for the object of a `_named_row`."""
    text = sql.SQL("row_to_json(r)::text")
    if any(column.kind in {ColumnKind.JSON, ColumnKind.OTHER} for column in query.columns):
        # json keeps the line breaks that its author typed; other types escape them
        text = sql.SQL("translate({}, e'\\n\\r', '  ')").format(text)
    return sql.SQL("{} || {}").format(text, sql.Literal(end)) if end else text


def _named_row(query: PreparedQuery) -> sql.Composable:
    """Return SQL that adds a row with the names of the columns, ``r``."""
    columns = sql.SQL(", ").join(
        sql.SQL("q.{} as {}").format(column_identifier(number), sql.Identifier(name))
        for number, name in enumerate(query.names)
    )
    return sql.SQL(" cross join lateral (select {}) as r").format(columns)
