"""Generate docs/schema.md from the comments in schema ops of a migrated database."""

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

from sqlalchemy import Connection, RowMapping, text

HEADER = """\
# Schema ops

The worker's own tables. Generated from the comments in the database by
`python -m analytics_worker.documentation`. Reading is safe; only the worker writes to it.
"""


def schema_page(connection: Connection) -> str:
    """Return the text of docs/schema.md: one section for each table and view."""
    query = (Path(__file__).parent / "sql" / "columns.sql").read_text()
    rows: Sequence[RowMapping] = connection.execute(text(query)).mappings().all()
    lines = [HEADER]
    for _, columns in itertools.groupby(rows, key=lambda row: row["relation"]):
        lines += _section(list(columns))
    return "\n".join(lines).rstrip() + "\n"


def _section(columns: Sequence[RowMapping]) -> Iterable[str]:
    first = columns[0]
    yield f"## {first['relation']}"
    yield ""
    kind = "A view. " if first["kind"] == "view" else ""
    yield f"{kind}{first['relation_comment'] or ''}".strip()
    yield ""
    yield "| column | type | meaning |"
    yield "|---|---|---|"
    yield from map(_row, columns)
    yield ""


def _row(column: RowMapping) -> str:
    optional = "" if column["required"] else ", null"
    return f"| `{column['name']}` | {column['type']}{optional} | {column['comment'] or ''} |"
