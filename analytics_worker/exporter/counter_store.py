"""The counters, what was counted, and how far: one SQLite file, one transaction for all three.

Writes ``exporter.sqlite`` in the state folder (mode 600). A batch is applied whole or not at all and
each item of it once, however often it is given: a killed exporter neither loses nor doubles.
"""

import json
import os
import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from analytics_worker.exporter.console import log_line
from analytics_worker.exporter.counter_events import CountedItem, RunResult
from analytics_worker.exporter.metric_families import Family, Histogram, Labels, Value

BUSY_SECONDS = 10
MAX_FAILURES = 10_000
"""Failures that are stored per deployment; more of them add no information."""

SCHEMA = """
create table if not exists counter (
    family text, labels text, value text not null, primary key (family, labels)
) without rowid;
create table if not exists seen (
    source text, key blob, at real not null, primary key (source, key)
) without rowid;
create index if not exists seen_at on seen (source, at);
create table if not exists mark (name text primary key, value real not null) without rowid;
create table if not exists failure (
    deployment text, key blob, at real not null, primary key (deployment, key)
) without rowid;
"""
SET_MARK = "insert or replace into mark values (?, ?)"
ADD_SEEN = "insert or ignore into seen values (?, ?, ?)"
SET_COUNTER = "insert or replace into counter values (?, ?, ?)"
ADD_FAILURE = """
insert or ignore into failure select ?, ?, ?
where (select count(*) from failure where deployment = ?) < ?
"""


class Store:
    """The file, and a copy of its counters in memory. Any thread may use it."""

    def __init__(self, path: Path) -> None:
        """Open or make the file; one that is damaged is put aside."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._connection = _open(path)
        self._values: dict[str, dict[Labels, Value]] = defaultdict(dict)
        for name, labels, value in self._connection.execute("select * from counter"):
            self._values[name][tuple(json.loads(labels))] = _decode(value)

    def apply(
        self, source: str, items: Iterable[CountedItem], marks: Mapping[str, float] | None = None
    ) -> int:
        """Count what was not counted before, and set marks; how many items were new."""
        with self._lock:
            with self._transaction() as connection:
                fresh = [
                    item for item in self._current(source, items) if self._is_new(source, item)
                ]
                sums = self._add_up(fresh)
                for item in fresh:
                    if item.run_result:
                        self._apply_run_result(item, item.run_result)
                connection.executemany(SET_MARK, (marks or {}).items())
            for (name, labels), value in sums.items():
                self._values[name][labels] = value
        return len(fresh)

    def settle(self, source: str, floor: float) -> None:
        """Forget the items from before ``floor``; what turns up of that time is ignored."""
        if floor <= (self.mark(f"{source}.floor") or float("-inf")):
            return
        with self._lock, self._transaction() as connection:
            connection.execute(SET_MARK, (f"{source}.floor", floor))
            connection.execute("delete from seen where source = ? and at < ?", (source, floor))

    def mark(self, name: str) -> float | None:
        """Return the stored position of a source."""
        with self._lock:
            return self._mark(name)

    def seen(self, source: str, since: float, until: float) -> int:
        """Return the number of counted items of that period."""
        query = "select count(*) from seen where source = ? and at between ? and ?"
        with self._lock:
            return self._connection.execute(query, (source, since, until)).fetchone()[0]

    def values(self, family: Family) -> dict[Labels, Value]:
        """The samples of a family."""
        with self._lock:
            return dict(self._values[family.name])

    def failures(self) -> dict[str, int]:
        """Failed runs since the last success, of the deployments that have some."""
        query = "select deployment, count(*) from failure group by deployment"
        with self._lock:
            return dict(self._connection.execute(query).fetchall())

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        with self._connection:
            self._connection.execute("begin immediate")
            yield self._connection

    def _mark(self, name: str) -> float | None:
        found = self._connection.execute("select value from mark where name = ?", (name,))
        row = found.fetchone()
        return row[0] if row else None

    def _current(self, source: str, items: Iterable[CountedItem]) -> Iterable[CountedItem]:
        floor = self._mark(f"{source}.floor") or float("-inf")
        return (item for item in items if item.at >= floor)

    def _is_new(self, source: str, item: CountedItem) -> bool:
        return self._connection.execute(ADD_SEEN, (source, item.key, item.at)).rowcount > 0

    def _add_up(self, fresh: list[CountedItem]) -> dict[tuple[str, Labels], Value]:
        """Store the values that the new items change; memory follows after the commit."""
        sums: dict[tuple[str, Labels], Value] = {}
        for increment in (one for item in fresh for one in item.increments):
            series = increment.family.name, increment.labels
            before = sums.get(series, self._values[series[0]].get(series[1]))
            sums[series] = increment.on(before)
        rows = ((name, json.dumps(labels), _encode(v)) for (name, labels), v in sums.items())
        self._connection.executemany(SET_COUNTER, rows)
        return sums

    def _apply_run_result(self, item: CountedItem, run_result: RunResult) -> None:
        """A success resolves the failures before it, in whichever order they become known."""
        name, mark = run_result.deployment, f"success.{run_result.deployment}"
        if item.at <= (self._mark(mark) or float("-inf")):
            return
        run = self._connection.execute
        if run_result.failed:
            run(ADD_FAILURE, (name, item.key, item.at, name, MAX_FAILURES))
        else:
            run(SET_MARK, (mark, item.at))
            run("delete from failure where deployment = ? and at <= ?", (name, item.at))


def _encode(value: Value) -> str:
    if isinstance(value, Histogram):
        return json.dumps({"counts": value.counts, "total": value.total})
    return json.dumps(value)


def _decode(text: str) -> Value:
    value: Any = json.loads(text)
    if isinstance(value, dict):
        return Histogram(tuple(value["counts"]), value["total"])
    return float(value)


def _open(path: Path) -> sqlite3.Connection:
    try:
        return _connect(path)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):  # locked, or no place to write
            raise
    aside = path.with_suffix(f".damaged-{time.time():.0f}")
    path.rename(aside)
    for rest in ("-wal", "-shm"):
        path.with_name(path.name + rest).unlink(missing_ok=True)
    log_line(f"{path} is damaged and now called {aside.name}; counting starts again")
    return _connect(path)


def _connect(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # SQLite gives -wal and -shm its mode
    path.chmod(0o600)
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    connection.executescript(SCHEMA)
    connection.execute("select count(*) from counter")
    return connection
