"""Measure one export in a process of its own: its duration and its peak memory.

``python -m benchmarks._export_process SIDE FORMAT PATH SQL`` prints both as JSON. The sides: the worker; the
original way, which fetches everything and then writes it; and openpyxl's write-only mode on a cursor of
the server.
"""

import csv
import json
import sys
import time
from collections.abc import Callable, Mapping
from datetime import date, datetime
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from typing import Any

BATCH = 2_000
MAX_PAGE_ROWS = 5_000


def ours(name: str, path: Path, query: str) -> None:
    """What a report does."""
    from flows.reports.formats import TableQuery, export, get_format, open_snapshot  # noqa: PLC0415  # not on their side

    with open_snapshot() as snapshot:
        if get_format(name).document:
            _page(name, path, snapshot, TableQuery("Wide", query))
        else:
            export(snapshot, [TableQuery("Wide", query)], path, name)


def _page(name: str, path: Path, snapshot: Any, table: Any) -> None:
    """As many rows as a page may have."""
    from flows.reports.formats import Document, fetch_rows, render_html, render_pdf  # noqa: PLC0415

    found = fetch_rows(snapshot, table, MAX_PAGE_ROWS)
    html = render_html(Document("Wide", "now", tables=[found]))
    if name == "html":
        path.write_text(html.text)
    else:
        render_pdf(html, path)


def original(name: str, path: Path, query: str) -> None:
    """Export the original way: all rows, as dicts, to csv, json or openpyxl."""
    with _connected() as connection, connection.cursor() as cursor:
        cursor.execute(query)
        names = [column.name for column in cursor.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    _ORIGINAL[name](path, names, rows)


def _csv(path: Path, names: list[str], rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)


def _json(path: Path, _names: list[str], rows: list[dict[str, Any]]) -> None:
    with path.open("w") as file:
        json.dump(rows, file, default=str)


def _xlsx(path: Path, names: list[str], rows: list[dict[str, Any]]) -> None:
    import openpyxl  # noqa: PLC0415  # counts on their side

    book = openpyxl.Workbook()
    sheet: Any = book.active
    sheet.append(names)
    for row in rows:
        sheet.append([_cell(value) for value in row.values()])
    book.save(path)


_ORIGINAL: Mapping[str, Callable[[Path, list[str], list[dict[str, Any]]], None]] = {
    "csv": _csv,
    "json": _json,
    "xlsx": _xlsx,
}


def write_only(_name: str, path: Path, query: str) -> None:
    """Export with openpyxl's mode for large workbooks."""
    import openpyxl  # noqa: PLC0415

    book = openpyxl.Workbook(write_only=True)
    sheet: Any = book.create_sheet("Wide")
    connection = _connected()
    connection.autocommit = False
    with connection, connection.cursor("rows") as cursor:
        cursor.itersize = BATCH
        cursor.execute(query)
        for number, row in enumerate(cursor):
            if not number:
                sheet.append([column.name for column in cursor.description or ()])
            sheet.append([_cell(value) for value in row])
    book.save(path)


def _connected() -> Any:
    """Connect with imports that only the other sides need, so that they count there."""
    from analytics_worker.settings import settings  # noqa: PLC0415
    from benchmarks._warehouse import connect  # noqa: PLC0415

    url = settings().database_url
    assert url is not None
    return connect(url.get_secret_value())


def _cell(value: Any) -> Any:
    """Return the value without a time zone, which Excel does not support."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    return value if isinstance(value, date) or not isinstance(value, dict) else str(value)


def peak_mb() -> float:
    """Return the peak memory in MB of this process or its children."""
    status = Path("/proc/self/status").read_text()
    own = int(status.split("VmHWM:")[1].split()[0])
    return max(own, getrusage(RUSAGE_CHILDREN).ru_maxrss) / 1024


def main(side: str, name: str, path: str, query: str) -> None:
    """Measure one export; what it imports is not part of its time, but of its memory."""
    work = {"ours": ours, "original": original, "write_only": write_only}[side]
    work(name, Path(path), f"{query} limit 1")
    started = time.perf_counter()
    work(name, Path(path), query)
    print(json.dumps({"seconds": time.perf_counter() - started, "peak_mb": peak_mb()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
