"""Run the SQL of the claimed rules, on a few kept connections of the SELECT-only role.

Reads what the rules read; writes nothing. One rule's failure is its own: the others run on. What
failed is tried once more at the end, on a reset session. Only a database that is away ends the batch.
"""

import contextvars
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import psycopg2

from analytics_worker.database.reader_sessions import ReaderSession, reader_sessions
from analytics_worker.errors import PermanentError
from analytics_worker.settings import settings
from flows.alerts.evaluation.locking import Claim
from flows.alerts.evaluation.samples import Readings, readings
from flows.alerts.evaluation.transition import Failure, Given
from flows.alerts.rules.model import Rule
from flows.alerts.rules.validation import LONGEST_TIMEOUT, NOW

RULES_PER_CONNECTION = 8
"""Fewer than this are not worth another connection."""

T = TypeVar("T")


@dataclass(frozen=True)
class Answer:
    """What the SQL of one rule came to."""

    found: Readings | Failure | Given
    rows: int | None
    milliseconds: float
    attempts: int = 1


def run_rules(claims: Sequence[Claim], deadline: float) -> dict[int, Answer]:
    """Answers by rule; those not reached by the deadline (`time.monotonic`) are missing.

    Raises:
        CircuitOpenError: the database is known to be down.
        SQLAlchemyError: it can't be reached.
    """
    answers = _spread(claims, deadline, attempt=1)
    failed = [claim for claim in claims if _failed(answers.get(claim.id))]
    if failed:
        answers |= _spread(failed, deadline, attempt=2)
    return answers


def _failed(answer: Answer | None) -> bool:
    return answer is not None and isinstance(answer.found, Failure)


def _spread(claims: Sequence[Claim], deadline: float, attempt: int) -> dict[int, Answer]:
    """Share the rules out to the connections, each taking the next when it is free."""
    width = min(settings().alert_parallelism, 1 + len(claims) // RULES_PER_CONNECTION)
    queue = _Shared(claims)
    answers: dict[int, Answer] = {}

    def work() -> None:
        with reader_sessions() as session_of:
            for claim in queue:
                if time.monotonic() > deadline:
                    return
                answers[claim.id] = _ask(session_of, claim, attempt)

    _in_parallel(work, width)
    return answers


def _in_parallel(work: Callable[[], None], width: int) -> None:
    """Here if once is enough; else in threads that know of the run that they belong to."""
    if width == 1:
        work()
        return
    with ThreadPoolExecutor(width, thread_name_prefix="rules") as pool:
        runs = [pool.submit(contextvars.copy_context().run, work) for _ in range(width)]
    for run in runs:
        run.result()


class _Shared(Iterator[T]):
    """One iteration that several threads take from."""

    def __init__(self, items: Iterable[T]) -> None:
        self._items = iter(items)
        self._lock = threading.Lock()

    def __next__(self) -> T:
        with self._lock:
            return next(self._items)


def _ask(session_of: Callable[[str | None], ReaderSession], claim: Claim, attempt: int) -> Answer:
    if claim.broken:
        return Answer(Failure(claim.broken), None, 0.0, attempt)
    if claim.rule.sql is None:  # an event brought the result, and nobody was notified of it yet
        return Answer(Given("keep_last", None), None, 0.0, attempt)
    started = time.perf_counter()
    rows = None
    try:
        found, rows = read(session_of(claim.rule.reader), claim.rule, claim.now)
    except PermanentError as error:
        found = Failure(str(error))
    except psycopg2.Error:
        found = Failure("the connection was lost while the SQL ran")
    return Answer(found, rows, (time.perf_counter() - started) * 1000, attempt)


def read(session: ReaderSession, rule: Rule, now: object) -> tuple[Readings, int]:
    """The readings of a rule as of a time, and the number of rows they were made of."""
    table = session.fetch(
        rule.sql or "",
        {**rule.parameters, NOW: now},
        timeout=min(rule.timeout, LONGEST_TIMEOUT),
        row_cap=rule.row_cap,
    )
    return readings(rule, table), len(table.rows)
