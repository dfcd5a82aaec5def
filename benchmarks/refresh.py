"""Four KPI views refreshed: two at a time and without blocking readers, against the plain way."""

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from contextvars import copy_context
from threading import Event, Thread

from analytics_worker.database import connections
from analytics_worker.database.connections import warehouse
from analytics_worker.settings import settings
from benchmarks._table import Row
from benchmarks._warehouse import Connection, connect, execute, fresh_warehouse
from flows.analytics import _cancellation
from flows.analytics._change_detection import reasons_to_refresh
from flows.analytics._refresh import refresh
from flows.analytics._views import View, materialized_views

ROUNDS = 5
VIEWS = ("pipeline", "revenue", "compliance", "outreach")
DATA = """
create table raw.deals as
select i as id, i % 97 as owner, i % 7 as stage, i % 36 as month, (i::bigint * 7919) % 100003 as amount
from generate_series(1, 1000000) as i;
analyze raw.deals;
"""
TOTALS = """
select (select sum(amount) from raw.deals) = (select sum(amount) from analytics.pipeline_kpis)
"""
COUNT_NOW = "select pg_stat_force_next_flush()"
"""Else the last change counts when its session has been idle for ten seconds, after our refresh."""
READ = "select * from analytics.pipeline_kpis where owner = 1 and stage = 1 limit 1"


def measure() -> list[Row]:
    """Medians of interleaved rounds; each round changes the data, so that there is work to do."""
    with fresh_warehouse() as url, closing(connect(url)) as connection:
        _prepare(connection)
        _cancellation.current.set(_cancellation.RunningStatements())
        views = _views()
        rounds = [_round(url, connection, views) for _ in range(ROUNDS)]
        ours, loop, waited, waited_plain = (
            statistics.median(side) for side in zip(*rounds, strict=True)
        )
        execute(connection, COUNT_NOW)
        unchanged = _unchanged(views)
    return [
        Row("four views refreshed", ours, "s", "one after the other", loop, "≤ 0.6x"),
        Row("four views, nothing changed", unchanged, "s", "refreshed", ours),
        Row(
            "worst reader wait in a refresh", waited, "ms", "plain REFRESH", waited_plain, "≤ 50 ms"
        ),
    ]


def _prepare(connection: Connection) -> None:
    execute(connection, DATA)
    for number, name in enumerate(VIEWS):
        execute(
            connection,
            f"create materialized view analytics.{name}_kpis as select owner, stage, month,"  # noqa: S608
            f" count(*) as deals, sum(amount) + {number} as amount, avg(amount) as mean"
            " from raw.deals group by owner, stage, month;"
            f"create unique index on analytics.{name}_kpis (owner, stage, month)",
        )


def _views() -> list[View]:
    with warehouse() as connection:
        return materialized_views(connection, ["analytics"])


def _round(
    url: str, connection: Connection, views: list[View]
) -> tuple[float, float, float, float]:
    """Seconds of both sides, undisturbed; then what a reader waits, in milliseconds."""
    _change(connection)
    ours = _seconds(lambda: _ours(views))
    _check(connection)
    _change(connection)
    loop = _seconds(lambda: _one_after_the_other(url, "concurrently"))
    _change(connection)
    waited = _worst_wait(url, lambda: _ours(views))
    _change(connection)
    waited_plain = _worst_wait(url, lambda: _one_after_the_other(url, ""))
    return ours, loop, waited, waited_plain


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _change(connection: Connection) -> None:
    execute(connection, "update raw.deals set amount = amount + 1 where id % 1000 = 0")


def _ours(views: list[View]) -> None:
    at_once = settings().refresh_parallelism
    with ThreadPoolExecutor(at_once) as pool:
        runs = [
            pool.submit(copy_context().run, refresh, view, "measured", at_once) for view in views
        ]
    assert [run.result()["mode"] for run in runs] == ["concurrently"] * len(VIEWS)


def _one_after_the_other(url: str, mode: str) -> None:
    for name in VIEWS:
        with closing(connect(url)) as connection:
            execute(connection, f"refresh materialized view {mode} analytics.{name}_kpis")


def _check(connection: Connection) -> None:
    """Check that the views equal the data."""
    assert execute(connection, TOTALS) == [(True,)]


def _unchanged(views: list[View]) -> float:
    """Seconds of finding out that there is nothing to do, in a database that is quiet."""
    _ours(views)
    connections.dispose()
    output = [view.oid for view in views]
    reasons_to_refresh(output)  # waits for the sessions of this benchmark to have counted
    started = time.perf_counter()
    reasons = reasons_to_refresh(output)
    seconds = time.perf_counter() - started
    assert not any(reasons.values()), reasons
    return seconds


def _worst_wait(url: str, work: Callable[[], object]) -> float:
    """The longest that a small read took while the work went on, in milliseconds."""
    ended, waits = Event(), [0.0]

    def read() -> None:
        with closing(connect(url)) as reader:
            while not ended.wait(0.002):
                waits.append(_seconds(lambda: execute(reader, READ)))

    thread = Thread(target=read)
    thread.start()
    work()
    ended.set()
    thread.join()
    return max(waits) * 1000
