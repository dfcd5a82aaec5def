"""Decide whether a query returns the same for a period whenever it is executed, unless the data changes.

Plans the query as the report's reader; reads no rows of it and writes nothing.
"""

from analytics_worker.database.select_guard import placeholders
from analytics_worker.database.sql_tokens import tokens
from flows.reports.formats import QueryPlan, Snapshot, TableQuery, explain_query
from flows.reports.formats.query.fetch import TIME_KEYWORDS
from flows.reports.scheduling.period_parameters import PERIOD_PARAMETERS

NO_PERIOD = "its SQL names neither :period_start nor :period_end"
_TIMES = TIME_KEYWORDS | {"now", "transaction_timestamp", "statement_timestamp"}
_TIME_TEXTS = {"now", "today", "tomorrow", "yesterday"}
_VOLATILE = (
    "select distinct proname::text from pg_catalog.pg_proc"
    " where provolatile = 'v' and proname = any(%s::text[]) order by 1"
)


def reason_not_compared(snapshot: Snapshot, query: TableQuery) -> str | None:
    """Return why a query is not compared; None if it is.

    Raises:
        PermanentError: the query is at fault.
        psycopg2.Error: the database is unavailable.
    """
    if not placeholders(query.sql) & PERIOD_PARAMETERS:
        return NO_PERIOD
    plan = explain_query(snapshot, query)
    times = sorted((plan.words & _TIMES) | _time_texts(query.sql))
    if times:
        return f"it depends on the time of its execution ({', '.join(times)})"
    volatile = _volatile(snapshot, plan)
    return f"it calls {', '.join(volatile)}, which is volatile" if volatile else None


def _time_texts(sql: str) -> set[str]:
    """Return the texts of a statement that are times when they are cast, such as ``'today'``."""
    texts = (token.value.strip("'").lower() for token in tokens(sql) if token.kind == "text")
    return _TIME_TEXTS.intersection(texts)


def _volatile(snapshot: Snapshot, plan: QueryPlan) -> list[str]:
    """Return the functions that may return something else each time, and what can't be read."""
    words = sorted(plan.words)
    if not words:
        return []
    with snapshot.statement() as cursor:
        cursor.execute(_VOLATILE, (words,))
        names = [name for (name,) in cursor.fetchall()]
    return [*names, *(each for each in words if each in {"tablesample", "unknown"})]
