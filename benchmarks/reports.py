"""Export a million rows beside psql, openpyxl and the original way; email a report to many recipients.

Each export is a process of its own, so that its memory is known; sides take turns, medians count, and
every file is read again. Memory is that of the whole process, Prefect included.
"""

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import IO, Any, NamedTuple

from pyarrow import parquet
from sqlalchemy import make_url

from analytics_worker.stack.postgres.account import packaged_postgres
from benchmarks._report_emails import measure_emails
from benchmarks._table import Row, render
from benchmarks._warehouse import connect, execute, fresh_warehouse

ROUNDS, ROUNDS_BESIDE_PSQL = 3, 7
LARGEST_NOTES = 100_000
SOME, MILLION, TEN_MILLION = 200_000, 1_000_000, 10_000_000
FILL = """
create table analytics.wide as
select
    n as id,
    timestamptz '2026-01-01' + n * interval '1 second' as created_at,
    date '2026-01-01' + n % 365 as due_on,
    cast(n % 100000 / 7.0 as numeric(12, 2)) as amount,
    sqrt(n) as score,
    n % 3 = 0 as active,
    'Customer ' || n % 5000 as name,
    case n % 10 when 0 then null when 1 then '=cmd|' || n when 2 then 'Ärger, "viel" & <mehr> ' || n
        else 'note ' || md5(n::text) end as note
from generate_series(1, 1000000) as n;
grant select on analytics.wide to analytics_reader;
"""
ALL = "select * from analytics.wide"
PART = "select * from analytics.wide where id <= 200000"
MANY_RULES = "select wide.* from analytics.wide cross join generate_series(1, 10)"
_OBJECTS = r"\copy (select row_to_json(w) from analytics.wide as w) to '%s'"
COPIES = {
    "csv": r"\copy (select * from analytics.wide) to '%s' with (format csv, header)",
    "json": _OBJECTS,
    "ndjson": _OBJECTS,
}
SPEED = {"csv": "≤ 1.25x", "json": "≤ 1.43x", "ndjson": "≤ 1.43x"}
"""At least 0.8 and 0.7 times the speed of psql, as times."""


class ExportCost(NamedTuple):
    """What an export cost."""

    seconds: float
    peak_mb: float


def measure() -> list[Row]:
    """All sides."""
    with fresh_warehouse() as url, tempfile.TemporaryDirectory() as name:
        with closing(connect(url)) as connection:
            execute(connection, FILL)
            execute(connection, "vacuum analyze analytics.wide")  # or the first reader would do it
        folder = Path(name)
        exports = {each: _beside_psql(folder, url, each) for each in COPIES}
        rows = [row for results in exports.values() for row in results]
        rows += _workbooks(folder)
        rows += _originals(folder)
        rows += [_ten_times(folder, each) for each in _COUNTS]
        return [*rows, measure_emails(folder)]


def _beside_psql(folder: Path, url: str, name: str) -> list[Row]:
    results = [
        (_export("ours", folder, name, ALL, MILLION), _psql(folder, url, name))
        for _ in range(ROUNDS_BESIDE_PSQL)
    ]
    ours = median(cost.seconds for cost, _ in results)
    peak = max(cost.peak_mb for cost, _ in results)
    psql = median(seconds for _, seconds in results)
    against = "psql \\copy … csv" if name == "csv" else "row_to_json through \\copy"
    title = f"{name}, 1 M rows"
    return [
        Row(title, ours, "s", against, psql, SPEED[name]),
        Row(f"{title}, memory", peak, "MB", goal="≤ 200 MB"),
    ]


def _workbooks(folder: Path) -> list[Row]:
    """As many rows as openpyxl writes in a reasonable time; and a million for the memory."""
    ours = median(_export("ours", folder, "xlsx", PART, SOME).seconds for _ in range(ROUNDS))
    other = _export("write_only", folder, "xlsx", PART, SOME).seconds
    million = _export("ours", folder, "xlsx", ALL, MILLION)
    return [
        Row("xlsx, 200 k rows", ours, "s", "openpyxl, write-only", other, "≤ 0.2x"),
        Row("xlsx, 1 M rows", million.seconds, "s"),
        Row("xlsx, 1 M rows, memory", million.peak_mb, "MB", goal="≤ 200 MB"),
    ]


def _originals(folder: Path) -> list[Row]:
    """Fetch all, then write."""
    rows: list[Row] = []
    for name, query, count in (("csv", ALL, MILLION), ("json", ALL, MILLION), ("xlsx", PART, SOME)):
        ours = _export("ours", folder, name, query, count)
        other = _export("original", folder, name, query, count)
        title, way = f"{name}, {count // 1000:,} k rows", f"fetchall, list of dicts, {name}"
        rows += [
            Row(title, ours.seconds, "s", way, other.seconds, "≤ 0.167x"),
            Row(f"{title}, memory", ours.peak_mb, "MB", way, other.peak_mb, "≤ 0.2x"),
        ]
    return rows


def _ten_times(folder: Path, name: str) -> Row:
    cost = _export("ours", folder, name, MANY_RULES, TEN_MILLION)
    return Row(f"{name}, 10 M rows, memory", cost.peak_mb, "MB", goal="≤ 200 MB")


def _export(side: str, folder: Path, name: str, query: str, rows: int) -> ExportCost:
    path = folder / f"made.{name}"
    command = [sys.executable, "-m", "benchmarks._export_process", side, name, str(path), query]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    count = _COUNTS[name](path)
    assert count in {rows, None}, f"{side} {name}: {count} of {rows} rows"
    path.unlink()
    cost = ExportCost(**json.loads(ended.stdout.splitlines()[-1]))
    print(
        f"  {side} {name}, {rows:,} rows: {cost.seconds:.1f} s, {cost.peak_mb:.0f} MB", flush=True
    )
    return cost


def _psql(folder: Path, url: str, name: str) -> float:
    parts, path = make_url(url), folder / "psql"
    command = [
        str(packaged_postgres() / "bin" / "psql"),
        "-X",
        "-q",
        "-h",
        str(parts.query["host"]),
    ]
    command += ["-U", str(parts.username), "-d", str(parts.database), "-c", COPIES[name] % path]
    started = perf_counter()
    subprocess.run(command, env=os.environ | {"PGPASSWORD": str(parts.password)}, check=True)
    seconds = perf_counter() - started
    print(f"  psql {name}: {seconds:.1f} s", flush=True)
    assert _lines(path) == MILLION + (name == "csv")
    path.unlink()
    return seconds


def _occurrences(file: IO[bytes], mark: bytes) -> int:
    """Return how often the mark occurs, reading a megabyte at a time."""
    occurrences, ending = 0, b""
    while chunk := file.read(1 << 20):
        occurrences += (ending + chunk).count(mark)
        ending = chunk[1 - len(mark) :] if len(mark) > 1 else b""
    return occurrences


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return _occurrences(file, b"\n")


def _csv_rows(path: Path) -> int:
    return _lines(path) - 1


def _objects(path: Path) -> int:
    with path.open("rb") as file:
        return _occurrences(file, b'"created_at"')


def _xlsx_rows(path: Path) -> int:
    """Of all sheets, without headers and notes; the archive's sums are checked as it is read."""
    rows = 0
    with zipfile.ZipFile(path) as archive:
        for part in archive.infolist():
            if part.filename.startswith("xl/worksheets/") and part.file_size > LARGEST_NOTES:
                with archive.open(part) as sheet:
                    rows += _occurrences(sheet, b"</row>") - 1
    return rows


def _parquet_rows(path: Path) -> int:
    metadata: Any = parquet.read_metadata(path)
    return int(metadata.num_rows)


def _uncounted(path: Path) -> None:
    """Pages have the first rows; that they are there is enough here."""
    assert path.stat().st_size > LARGEST_NOTES


_COUNTS: Mapping[str, Callable[[Path], int | None]] = {
    "csv": _csv_rows,
    "json": _objects,
    "ndjson": _lines,
    "xlsx": _xlsx_rows,
    "parquet": _parquet_rows,
    "html": _uncounted,
    "pdf": _uncounted,
}


if __name__ == "__main__":
    print(render(measure()))
