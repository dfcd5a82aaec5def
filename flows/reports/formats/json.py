"""JSON: an array of objects, or an object of such arrays by title; and one object a line.

The server makes each object, so numbers keep their digits and instants their time zone. NaN and
infinity, which JSON does not know, are the texts ``"NaN"`` and ``"Infinity"``; bytes are hexadecimal.
The last object of a file that was cut is a ``note``, unless it is raw.
"""

import json
from typing import BinaryIO

from psycopg2 import sql

from flows.reports.formats.export_context import Job
from flows.reports.formats.query.columns import Kind, distinct
from flows.reports.formats.query.copy import VERBATIM, capped
from flows.reports.formats.query.statement import Query, place


def write_lines(job: Job, query: Query, file: BinaryIO) -> None:
    """One object a line."""
    job.copy(query, _objects(query, job.max_rows, ""), VERBATIM, file.write)
    if job.cut:
        file.write(_note(job.cut) + b"\n")


def write_document(job: Job, file: BinaryIO) -> None:
    """An array; of several queries, an object with an array for each, under its title."""
    if len(job.queries) == 1:
        _write_array(job, job.queries[0], file)
        file.write(b"\n")
        return
    titles = distinct([query.title for query in job.queries])
    for number, (title, query) in enumerate(zip(titles, job.queries, strict=True)):
        file.write((b",\n" if number else b"{\n") + json.dumps(title).encode() + b": ")
        _write_array(job, query, file)
    file.write(b"\n}\n")


def _write_array(job: Job, query: Query, file: BinaryIO) -> None:
    file.write(b"[\n")
    rows = job.copy(query, _objects(query, job.max_rows, ","), VERBATIM, file.write)
    if job.cut:
        file.write(_note(job.cut) + b"\n")
    elif rows:
        file.seek(-2, 1)  # the comma and the end of line behind the last object
        file.write(b"\n")
    file.write(b"]")


def _note(text: str) -> bytes:
    """The last object of what was cut, which no program takes for a row."""
    return json.dumps({"note": text}, ensure_ascii=False).encode()


def _objects(query: Query, limit: int | None, end: str) -> sql.Composable:
    columns = sql.SQL(", ").join(
        sql.SQL("{} as {}").format(place(number), sql.Identifier(name))
        for number, name in enumerate(query.names)
    )
    made = sql.SQL("row_to_json(r)::text")
    if any(column.kind in {Kind.JSON, Kind.OTHER} for column in query.columns):
        # json keeps the line breaks that its author typed; elsewhere they are always escaped
        made = sql.SQL("translate({}, e'\\n\\r', '  ')").format(made)
    if end:
        made = sql.SQL("{} || {}").format(made, sql.Literal(end))
    return sql.SQL("select {} from (select {} from {}) as r{}").format(
        made, columns, query.source, capped(limit)
    )
