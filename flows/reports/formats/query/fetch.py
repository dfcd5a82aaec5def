"""Some rows of a query as Python values: for pages, for one report per row, for conditions.

Reads what the query reads; writes nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg2
from psycopg2 import sql

from analytics_worker.database.reader_sessions import UserSqlError
from analytics_worker.database.sql_bounds import bounded
from flows.reports.formats.query.columns import Column
from flows.reports.formats.query.snapshot import Snapshot
from flows.reports.formats.query.statement import explained, prepared
from flows.reports.formats.registry import Table


@dataclass(frozen=True)
class Found:
    """Rows of a query; ``truncated`` if it has more."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...] = field(repr=False)
    truncated: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Column names, each once."""
        return tuple(column.name for column in self.columns)


@dataclass(frozen=True)
class Planned:
    """How many rows the planner expects, and what the query reads: views are what they are made of."""

    rows: int
    relations: frozenset[str]


def fetch(snapshot: Snapshot, table: Table, limit: int) -> Found:
    """The first rows of a query, at most ``limit``.

    Raises:
        UserSqlError: the query is at fault; it returns more than USER_SQL_MAX_MB, too.
        SQLAlchemyError: the database is away.
    """
    query = prepared(snapshot, table)
    try:
        with snapshot.statement() as cursor:
            cursor.execute(bounded(query.source, limit + 1))
            rows = cursor.fetchall()
    except psycopg2.Error as error:
        raise explained(snapshot, error, table.title) from None
    except (ValueError, OverflowError) as error:
        raise UserSqlError(
            f"{table.title}: a value can't be read ({error}), such as a date outside the years 1 to"
            " 9999; format it with to_char, or cast it to text"
        ) from None
    return Found(table.title, query.columns, tuple(map(tuple, rows[:limit])), len(rows) > limit)


def planned(snapshot: Snapshot, table: Table) -> Planned:
    """What the server says of a query without running it.

    Raises:
        UserSqlError: the query is at fault.
        psycopg2.Error: the database is away.
    """
    query = prepared(snapshot, table)
    explain = sql.SQL("explain (verbose, format json) select * from {}").format(query.source)
    try:
        with snapshot.statement() as cursor:
            cursor.execute(explain)
            plan = cursor.fetchone()[0][0]["Plan"]
    except psycopg2.Error as error:
        raise explained(snapshot, error, table.title) from None
    return Planned(int(plan["Plan Rows"]), frozenset(_relations(plan)))


def _relations(plan: Mapping[str, Any]) -> Iterator[str]:
    if "Relation Name" in plan:
        yield f"{plan['Schema']}.{plan['Relation Name']}"
    for part in plan.get("Plans", ()):
        yield from _relations(part)
