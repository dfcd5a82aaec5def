"""Fetch some rows of a query as the server prints them: for pages and ``for_each``; and explain queries.

Reads what the query reads; writes nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg2
from psycopg2 import sql

from analytics_worker.database.answer_memory_limit import bounded_answer, small_answer_mb
from analytics_worker.database.answer_size_limit import bounded
from analytics_worker.database.reader_sessions import UserSqlError
from analytics_worker.database.refused_functions import called_names
from analytics_worker.database.server_values import read_as_text
from analytics_worker.database.sql_tokens import UnfinishedError, tokens
from analytics_worker.text import one_line
from flows.reports.formats.query.columns import Column
from flows.reports.formats.query.row_hash import RowSums, hashed_source, row_head
from flows.reports.formats.query.snapshot import Snapshot
from flows.reports.formats.query.statement import PreparedQuery, prepare_query, query_error
from flows.reports.formats.registry import Fingerprint, TableQuery

TIME_KEYWORDS = frozenset(
    {"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"}
)
_NAMES = frozenset(
    {
        "Alias",
        "CTE Name",
        "Function Name",
        "Index Name",
        "Node Type",
        "Relation Name",
        "Schema",
        "Subplan Name",
    }
)
"""Keys of a plan whose values are no expressions."""


@dataclass(frozen=True)
class FetchedRows:
    """The first rows of a query, each value as the server prints it; ``truncated`` if it has more."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str | None, ...], ...] = field(repr=False)
    truncated: bool = False
    totals: tuple[str | None, ...] | None = None
    """The sum of each column that has a total, of all rows."""
    fingerprint: Fingerprint | None = None
    """Of all rows, if the query is hashed, none is missing, and they were read in time."""
    incomplete: str = ""
    """Until when the data of their period is there; empty if none is missing."""
    incomplete_rows: frozenset[int] = frozenset()
    """Positions of the rows that lack data."""

    @property
    def names(self) -> tuple[str, ...]:
        """Column names, which are unique."""
        return tuple(column.name for column in self.columns)


@dataclass(frozen=True)
class QueryPlan:
    """What the planner knows of a query, views resolved.

    Attributes:
        rows: Number of rows that it expects.
        relations: Schema and name of the relations that the query reads.
        plan: The plan as the server returns it.
    """

    rows: int
    relations: frozenset[tuple[str, str]]
    plan: Mapping[str, Any] = field(repr=False)

    @property
    def words(self) -> frozenset[str]:
        """The names of the functions that it calls, and its keywords for the time of the execution."""
        return frozenset(_words(self.plan))


def fetch_rows(snapshot: Snapshot, query: TableQuery, limit: int) -> FetchedRows:
    """Return the first rows of a query, at most ``limit``.

    Raises:
        UserSqlError: the query is at fault, or its rows exceed USER_SQL_MAX_MB.
        SQLAlchemyError: the database is unavailable.
    """
    prepared = prepare_query(snapshot, query)
    if prepared.hash_seconds is not None:
        return _fetch_hashed(snapshot, prepared, limit)
    rows = fetch_prepared(snapshot, prepared, limit + 1)
    return FetchedRows(query.title, prepared.columns, rows[:limit], len(rows) > limit)


def _fetch_hashed(snapshot: Snapshot, query: PreparedQuery, limit: int) -> FetchedRows:
    """Return the first rows of a query; with the fingerprint of all rows, if there are no more."""
    sums = RowSums(query)
    source = sql.SQL("(select q.*, {} as head from {}) as q").format(
        row_head(query.columns), hashed_source(query)
    )
    rows = fetch_prepared(snapshot, replace(query, source=source), limit + 1)
    if len(rows) > limit:
        shown = tuple(row[:-1] for row in rows[:limit])
        return FetchedRows(query.title, query.columns, shown, truncated=True)
    sums.add([row[-1] or "" for row in rows])
    shown = tuple(row[:-1] for row in rows)
    return FetchedRows(query.title, query.columns, shown, fingerprint=sums.fingerprint())


def fetch_prepared(
    snapshot: Snapshot, query: PreparedQuery, limit: int
) -> tuple[tuple[str | None, ...], ...]:
    """Return the first rows of a prepared query as texts.

    Raises:
        UserSqlError: the query is at fault, or its rows exceed USER_SQL_MAX_MB.
        SQLAlchemyError: the database is unavailable.
    """
    try:
        with bounded_answer(small_answer_mb()), snapshot.statement() as cursor:
            read_as_text(cursor)
            cursor.execute(query.mark + bounded(query.source, limit))
            return tuple(map(tuple, cursor.fetchall()))
    except psycopg2.Error as error:
        raise query_error(snapshot, error, query.title) from None
    except (UnicodeError, MemoryError) as error:
        reason = one_line(f"{type(error).__name__}: {error}")
        raise UserSqlError(f"{query.title}: a value can't be read ({reason})") from None


def explain_query(snapshot: Snapshot, query: TableQuery) -> QueryPlan:
    """Return the server's plan of a query without running it; of each query once in a snapshot.

    Raises:
        UserSqlError: the query is at fault.
        psycopg2.Error: the database is unavailable.
    """
    key = query.sql, repr(sorted(query.parameters.items()))
    if key not in snapshot.plans:
        snapshot.plans[key] = _explain(snapshot, query)
    return snapshot.plans[key]


def _explain(snapshot: Snapshot, query: TableQuery) -> QueryPlan:
    prepared = prepare_query(snapshot, query)
    explain = sql.SQL("explain (verbose, format json) select * from {}").format(prepared.source)
    try:
        with snapshot.statement() as cursor:
            cursor.execute(explain)
            plan = cursor.fetchone()[0][0]["Plan"]
    except psycopg2.Error as error:
        raise query_error(snapshot, error, query.title) from None
    return QueryPlan(int(plan["Plan Rows"]), frozenset(_relations(plan)), plan)


def _relations(plan: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if "Relation Name" in plan:
        yield plan["Schema"], plan["Relation Name"]
    for part in plan.get("Plans", ()):
        yield from _relations(part)


def _words(plan: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the expressions of a plan call; of an expression that can't be read, ``unknown``."""
    if "Sampling Method" in plan:
        yield "tablesample"
    for key, value in plan.items():
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and key not in _NAMES:
                yield from _called(text)
    for part in plan.get("Plans", ()):
        yield from _words(part)


def _called(expression: str) -> Iterator[str]:
    try:
        parts = list(tokens(expression))
    except UnfinishedError:
        yield "unknown"
        return
    yield from called_names(parts)
    yield from (part.value for part in parts if part.kind == "name" and part.value in TIME_KEYWORDS)
