"""The catalog of 5,000 relations: one set-based statement against a loop over the tables."""

import statistics
import time
from collections.abc import Callable
from contextlib import closing

from benchmarks._table import Row
from benchmarks._warehouse import Connection, connect, execute, fresh_warehouse
from flows.analytics.catalog import upsert_catalog

RELATIONS = 5_000
BATCH = 500  # tables made in one transaction: each holds a lock
ROUNDS = 2
SCHEMAS = ["raw", "staging", "analytics"]

LOOP_TABLES = """
create table public.loop_catalog (name text primary key, comment text, rows bigint, bytes bigint);
create table public.loop_columns (name text, col text, type text, nullable text, primary key (name, col));
"""


def measure() -> list[Row]:
    """First run and the usual run, both ways; medians, interleaved."""
    with fresh_warehouse() as url:
        _fill(url)
        with closing(connect(url)) as plain:
            execute(plain, LOOP_TABLES)
            first, first_loop = _seconds(_ours), _seconds(lambda: _loop(url))
            _check(plain)
            rounds = [(_seconds(_ours), _seconds(lambda: _loop(url))) for _ in range(ROUNDS)]
    usual, usual_loop = (statistics.median(side) for side in zip(*rounds, strict=True))
    name = f"catalog of {RELATIONS:,} relations"
    return [
        Row(f"{name}, empty at first", first, "s", "loop over the tables", first_loop, "≤ 0.1x"),
        Row(f"{name}, as usual", usual, "s", "loop over the tables", usual_loop, "≤ 0.1x"),
    ]


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _fill(url: str) -> None:
    with closing(connect(url)) as connection:
        for start in range(0, RELATIONS, BATCH):
            execute(
                connection,
                "do $$ begin for i in %s..%s loop execute format('create table raw.t%%s"
                " (id integer primary key, name text not null, amount numeric(10, 2), at timestamptz)',"
                " i); end loop; end $$",
                (start + 1, start + BATCH),
            )


def _ours() -> None:
    stats = upsert_catalog.fn(SCHEMAS)
    assert stats["relations"] == RELATIONS


def _loop(url: str) -> None:
    with closing(connect(url)) as connection:
        connection.autocommit = False
        tables = execute(connection, "select tablename from pg_tables where schemaname = 'raw'")
        for (name,) in tables:
            _one_table(connection, name)
        connection.commit()


def _one_table(connection: Connection, name: str) -> None:
    columns = execute(
        connection,
        "select column_name, data_type, is_nullable from information_schema.columns"
        " where table_schema = 'raw' and table_name = %s",
        (name,),
    )
    facts = execute(
        connection,
        "select obj_description(oid), reltuples, pg_total_relation_size(oid) from pg_class"
        " where oid = ('raw.' || %s)::regclass",
        (name,),
    )[0]
    execute(
        connection,
        "insert into public.loop_catalog values (%s, %s, %s, %s) on conflict (name) do update set"
        " comment = excluded.comment, rows = excluded.rows, bytes = excluded.bytes",
        (name, *facts),
    )
    for column in columns:
        execute(
            connection,
            "insert into public.loop_columns values (%s, %s, %s, %s) on conflict (name, col)"
            " do update set type = excluded.type, nullable = excluded.nullable",
            (name, *column),
        )


def _check(connection: Connection) -> None:
    """Both sides know the same relations and columns."""
    ours = "select count(*) from ops.catalog_{}"
    theirs = "select count(*) from public.loop_{}"
    assert execute(connection, ours.format("relations")) == execute(
        connection, theirs.format("catalog")
    )
    assert execute(connection, ours.format("columns")) == execute(
        connection, theirs.format("columns")
    )
