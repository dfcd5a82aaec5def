"""Run the SQL of the claimed rules, on a few reused connections of the reader role.

Reads what the rules read; writes nothing. A failing rule does not affect the others. A failed query
is retried once at the end, on a reset session. Only an unavailable database ends the batch.
"""

import contextvars
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import psycopg2
from sqlalchemy.exc import SQLAlchemyError

from analytics_worker.circuit_breaker import CircuitOpenError
from analytics_worker.database.answer_memory_limit import bounded_series
from analytics_worker.database.query_rows import TimedRows
from analytics_worker.database.reader_sessions import ReaderSession, reader_sessions
from analytics_worker.database.statement_groups import Statement, fetch_together
from analytics_worker.errors import PermanentError
from analytics_worker.settings import settings
from analytics_worker.text import one_line
from flows.alerts.evaluation.locking import Claim
from flows.alerts.evaluation.observation import Failure, Observation, ReportedStatus
from flows.alerts.evaluation.query_groups import query_groups
from flows.alerts.evaluation.samples import Samples, extract_samples
from flows.alerts.rules.model import Rule
from flows.alerts.rules.periods import sql_values
from flows.alerts.rules.validation import MAX_TIMEOUT

MAX_ERROR_LENGTH = 1000
RULES_PER_CONNECTION = 8
"""Fewer rules than this are not worth another connection."""

logger = logging.getLogger(__name__)
T = TypeVar("T")


class QueryResult(NamedTuple):
    """Result of the SQL of one rule."""

    observation: Observation
    rows: int | None
    milliseconds: float
    attempts: int = 1


def run_queries(claims: Sequence[Claim], deadline: float) -> dict[int, QueryResult]:
    """Return results by rule; rules not reached by the deadline (`time.monotonic`) are missing.

    Raises:
        CircuitOpenError: the circuit breaker of the database is open.
        SQLAlchemyError: the database is unavailable.
    """
    results = _run_all(claims, deadline, attempt=1)
    failed = [claim for claim in claims if _has_failed(results.get(claim.id))]
    if failed:
        results |= _run_all(failed, deadline, attempt=2)
    return results


def failure_of(error: Exception) -> Failure:
    """Return the failure of a rule: one line, and of an unexpected error also its type."""
    match error:
        case PermanentError():
            text = str(error)
        case psycopg2.Error():
            text = "the connection was lost while the SQL ran"
        case _:
            logger.warning("unexpected error of a rule", exc_info=error)
            text = f"{type(error).__name__}: {error}"
    return Failure(one_line(text, MAX_ERROR_LENGTH))


def _has_failed(result: QueryResult | None) -> bool:
    return result is not None and isinstance(result.observation, Failure)


def _run_all(claims: Sequence[Claim], deadline: float, attempt: int) -> dict[int, QueryResult]:
    """Run the queries on several connections; each takes the next group of rules when it is free.

    A rule without a result from its group, and every rule in the second attempt, runs alone.
    """
    connections = min(settings().alert_parallelism, 1 + len(claims) // RULES_PER_CONNECTION)
    groups = query_groups(claims, connections) if attempt == 1 else ([each] for each in claims)
    queue = _SharedIterator(groups)
    results: dict[int, QueryResult] = {}

    def run_next_rules() -> None:
        with bounded_series(), reader_sessions() as session_for:
            for group in queue:
                if time.monotonic() > deadline:
                    return
                found = _run_group(session_for, group) if len(group) > 1 else {}
                results.update(found)
                for claim in group:
                    if claim.id not in found and time.monotonic() <= deadline:
                        results[claim.id] = _run_query(session_for, claim, attempt)

    _run_in_threads(run_next_rules, connections)
    return results


def _run_in_threads(function: Callable[[], None], threads: int) -> None:
    """Call the function in threads with the context of the flow run; one call needs no thread."""
    if threads == 1:
        function()
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="rules") as pool:
        calls = [pool.submit(contextvars.copy_context().run, function) for _ in range(threads)]
    for call in calls:
        call.result()


class _SharedIterator(Iterator[T]):
    """Iterator that several threads share."""

    def __init__(self, items: Iterable[T]) -> None:
        self._items = iter(items)
        self._lock = threading.Lock()

    def __next__(self) -> T:
        with self._lock:
            return next(self._items)


def _run_group(
    session_for: Callable[[str | None], ReaderSession], group: Sequence[Claim]
) -> dict[int, QueryResult]:
    """Return the results of the rules that one message could run; samples that can't be read are errors."""
    try:
        session = session_for(group[0].rule.reader)
        tables = fetch_together(session, [_statement(claim) for claim in group])
    except (CircuitOpenError, SQLAlchemyError):
        raise  # the database is unavailable
    except Exception:  # noqa: BLE001  # each rule runs alone and has its own error
        return {}
    return {group[n].id: _grouped_result(group[n].rule, rows) for n, rows in tables.items()}


def _statement(claim: Claim) -> Statement:
    return Statement(claim.rule.sql or "", sql_values(claim.rule, claim.now, claim.slot))


def _grouped_result(rule: Rule, rows: TimedRows) -> QueryResult:
    table, milliseconds = rows.table, rows.seconds * 1000
    try:
        return QueryResult(extract_samples(rule, table), len(table.rows), milliseconds)
    except Exception as error:  # noqa: BLE001  # any error is this rule's own
        return QueryResult(failure_of(error), None, milliseconds)


def _run_query(
    session_for: Callable[[str | None], ReaderSession], claim: Claim, attempt: int
) -> QueryResult:
    if claim.definition_error:
        return QueryResult(Failure(claim.definition_error), None, 0.0, attempt)
    if claim.rule.sql is None:  # an event reported the status; its notification is still due
        return QueryResult(ReportedStatus("keep_last", None), None, 0.0, attempt)
    started = time.perf_counter()
    rows = None
    try:
        observation, rows = read_samples(
            session_for(claim.rule.reader), claim.rule, claim.now, claim.slot
        )
    except (CircuitOpenError, SQLAlchemyError):
        raise  # the database is unavailable
    except Exception as error:  # noqa: BLE001  # any other error is this rule's own
        observation = failure_of(error)
    return QueryResult(observation, rows, (time.perf_counter() - started) * 1000, attempt)


def read_samples(
    session: ReaderSession, rule: Rule, now: Any, slot: datetime | None = None
) -> tuple[Samples, int]:
    """Return the samples of a rule as of a time, and the number of rows of its SQL.

    Args:
        session: The session of its reader.
        rule: The rule.
        now: The time of the evaluation.
        slot: When the rule was due, which decides its period; now by default.
    """
    table = session.fetch(
        rule.sql or "",
        sql_values(rule, now, slot),
        timeout=min(rule.timeout, MAX_TIMEOUT),
        row_cap=rule.row_cap,
    )
    return extract_samples(rule, table), len(table.rows)
