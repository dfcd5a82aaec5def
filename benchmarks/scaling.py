"""How the work grows: rules evaluated, relations in the catalog, rows exported, at several sizes.

Keeps curves for docs/performance.md; the curve of runs is the history benchmark's. Each size is
measured a few times and checked to have done its work; the median counts.
"""

import os
import statistics
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from analytics_worker.settings import settings
from benchmarks._scaling_plot import Curve, keep
from benchmarks._table import Row
from benchmarks._warehouse import connect, execute, fresh_warehouse
from benchmarks.alerts import reset_rules
from flows.alerts.evaluation.runner import evaluate_due
from flows.alerts.rules.model import Rule
from flows.alerts.rules.sync import sync
from flows.analytics.catalog import upsert_catalog
from flows.reports.formats import TableQuery, export, open_snapshot

RULES = (100, 1_000, 10_000)
RELATIONS = (500, 1_000, 2_000, 4_000)
ROWS = (1_000, 10_000, 100_000, 1_000_000)
ROUNDS = 3
SCHEMAS = ["raw", "staging", "analytics"]
TABLES = """
do $$ begin for i in %s..%s loop
    execute format('create table raw.t%%s (id integer primary key, name text, at timestamptz)', i);
end loop; end $$
"""
BATCH = 500  # tables made in one transaction: each holds a lock
QUERY = """
select n as id, 'Customer ' || n % 5000 as name, round(n / 7.0, 2) as amount,
    timestamptz '2026-01-01' + n * interval '1 second' as at
from generate_series(1, {rows}) as n
"""


def measure() -> list[Row]:
    """The largest size of each, as a multiple of what proportional growth would be."""
    os.environ.pop("ALERT_WEBHOOK_URL", None)
    settings.cache_clear()
    with fresh_warehouse() as url:
        return [
            _row("rules", "evaluation", RULES, lambda n: _rules(url, n)),
            _row("relations", "catalog, nothing changed", RELATIONS, lambda n: _relations(url, n)),
            _row("rows", "export to csv", ROWS, lambda n: _rows(n, "csv")),
            _row("rows", "export to xlsx", ROWS[:-1], lambda n: _rows(n, "xlsx")),
        ]


def _row(
    plot: str, name: str, sizes: tuple[int, ...], prepared: Callable[[int], Callable[[], object]]
) -> Row:
    points = [(size, _seconds(prepared(size))) for size in sizes]
    keep(Curve(plot, plot, name, "s", points))
    (small, _), (large, seconds) = points[0], points[-1]
    proportional = points[0][1] * large / small
    return Row(
        f"{name}, {large:,} {plot}", seconds, "s", f"{small:,} times their number", proportional
    )


def _seconds(work: Callable[[], object]) -> float:
    taken: list[float] = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def _rules(url: str, count: int) -> Callable[[], None]:
    rule = {"sql": "select 1 as value", "operator": ">", "threshold": 10}
    names = (f"r{number}" for number in range(count))
    sync({("alert", name): Rule.model_validate({"name": name, **rule}) for name in names})

    def evaluate() -> None:
        reset_rules(url)
        assert evaluate_due(["alert"]).evaluated == count

    return evaluate


def _relations(url: str, count: int) -> Callable[[], None]:
    with closing(connect(url)) as connection:
        ((there,),) = execute(connection, "select count(*) from pg_tables where schemaname = 'raw'")
        for start in range(there, count, BATCH):
            execute(connection, TABLES, (start + 1, min(start + BATCH, count)))

    def refresh() -> None:
        assert upsert_catalog.fn(SCHEMAS)["relations"] == count

    refresh()
    return refresh


def _rows(count: int, kind: str) -> Callable[[], None]:
    table = TableQuery("rows", QUERY.format(rows=count))

    def write() -> None:
        with TemporaryDirectory() as place, open_snapshot() as snapshot:
            assert export(snapshot, [table], Path(place) / "rows", kind).rows == count

    return write
