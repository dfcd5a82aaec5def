"""Evaluate due rules batch by batch, each batch in one transaction.

Reads the rules and what their SQL reads; writes states, history and the outbox. If a run dies, its
batches are rolled back and evaluated by the next run. Concurrent runs evaluate different rules.
"""

import contextvars
import math
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from analytics_worker.database.connections import warehouse
from flows.alerts.evaluation.batch import EvaluationCounts, evaluate_batch
from flows.alerts.evaluation.dependencies import load_dependencies
from flows.alerts.evaluation.held_messages import cancel_muted
from flows.alerts.evaluation.locking import (
    BATCH_SIZE,
    Claim,
    claim_due,
    claim_event,
    load_states,
    with_silences,
)
from flows.alerts.evaluation.observation import Observation, ReportedStatus
from flows.alerts.evaluation.partial_periods import leave_out_incomplete
from flows.alerts.evaluation.queries import QueryResult, run_queries
from flows.alerts.evaluation.recent_values import load_recent_values, with_recent_values
from flows.alerts.evaluation.result import EvaluationResult
from flows.alerts.evaluation.rule_evaluation import evaluate_rule, query_statistics
from flows.alerts.evaluation.store import WriteBatch
from flows.alerts.rules.model import Kind, Rule

BUDGET = timedelta(seconds=90)
"""How long a run claims rules; the remaining rules are due for the next run."""

TRANSACTION_SECONDS = 300.0


@dataclass(frozen=True)
class EventEvaluation:
    """Evaluation of the rule of one event."""

    result: EvaluationResult
    observation: Observation
    deliveries: int
    unnotified: bool
    """Whether a notification is due and there are no recipients."""
    message_ids: list[UUID]


def evaluate_due(
    kinds: Sequence[Kind], *, now: datetime | None = None, budget: timedelta = BUDGET
) -> EvaluationCounts:
    """Evaluate every due rule once, and hold back what waits to be sent of rules that are muted now.

    Args:
        kinds: Kinds of rules to evaluate.
        now: Time of the evaluation; the clock of the database by default.
        budget: How long to start batches.
    """
    runner = _BatchRunner(kinds, now, time.monotonic() + budget.total_seconds())
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as pool:
        second = pool.submit(contextvars.copy_context().run, runner.run_batches)
        runner.run_batches()
        second.result()
    counts = runner.counts()
    if counts.firing:
        cancel_muted()
    return counts


class _BatchRunner:
    """Run batches in two threads: one writes while the SQL of the other's rules runs."""

    def __init__(self, kinds: Sequence[Kind], now: datetime | None, deadline: float) -> None:
        self._kinds, self._now, self._deadline = kinds, now, deadline
        self._batches: list[EvaluationCounts] = []
        self._postponed: set[int] = set()
        self._unstored: set[int] = set()
        self._incomplete: set[int] = set()
        self._query_lock = threading.Lock()
        self._claim_lock = threading.Lock()
        self._last_batch = threading.Event()
        """Set when the batch that was claimed last is committed."""
        self._last_batch.set()

    def run_batches(self) -> None:
        """Run batches until no rule is due or the deadline has passed."""
        try:
            while time.monotonic() < self._deadline and self._run_batch():
                pass
        except BaseException:
            self._deadline = 0.0  # stops the other thread
            raise

    def _run_batch(self) -> bool:
        """Run one batch in one transaction; return whether more rules may be due."""
        this_batch = threading.Event()
        try:
            counts, claims, results = self._evaluate_batch(this_batch)
        finally:
            this_batch.set()
        self._batches.append(counts)
        evaluated = results.keys() | self._incomplete
        self._postponed |= {claim.id for claim in claims if claim.id not in evaluated}
        return len(claims) == BATCH_SIZE

    def _evaluate_batch(
        self, this_batch: threading.Event
    ) -> tuple[EvaluationCounts, list[Claim], dict[int, QueryResult]]:
        """Evaluate a batch; rules that depend on others wait until the batch before is committed."""
        with warehouse(statement_timeout_seconds=TRANSACTION_SECONDS) as connection:
            with self._claim_lock:
                excluded = list(self._postponed | self._unstored | self._incomplete)
                claims = claim_due(connection, self._kinds, now=self._now, excluded=excluded)
                batch_before, self._last_batch = self._last_batch, this_batch
            left_out = leave_out_incomplete(connection, claims)
            self._incomplete |= left_out
            due = [claim for claim in claims if claim.id not in left_out]
            with self._query_lock:
                results = run_queries(due, self._deadline) if due else {}
            if any(claim.rule.depends_on for claim in claims):
                batch_before.wait()
            counts = evaluate_batch(connection, claims, results)
            self._unstored |= set(counts.unstored)
        return counts, claims, results

    def counts(self) -> EvaluationCounts:
        """Return the counts of all batches."""
        total = EvaluationCounts(postponed=len(self._postponed), incomplete=len(self._incomplete))
        for batch in self._batches:
            total.add(batch)
        return total


def evaluate_event(
    connection: Connection,
    identity: str,
    rule: Rule,
    reported: ReportedStatus | None = None,
    *,
    missed_at: datetime | None = None,
) -> EventEvaluation:
    """Evaluate the rule of an event in the transaction of the caller.

    Args:
        connection: In a transaction.
        identity: Identity of the alert; events with the same identity belong to one alert.
        rule: The rule.
        reported: The status, if the event reports it.
        missed_at: When it was requested, if that is long ago.
    """
    (claim,) = with_silences(connection, [claim_event(connection, identity, rule)])
    query = None if reported else run_queries([claim], math.inf)[claim.id]
    observation = query.observation if query else reported or ReportedStatus("ok", None)
    before = load_states(connection, [claim])[claim.id]
    muting = load_dependencies(connection, [claim]).muting(claim.rule, claim.now)
    result = evaluate_rule(claim, before, observation, query, muting=muting)
    recent_values = load_recent_values(connection, {claim.id: (claim.rule, result)})
    result = with_recent_values(result, recent_values.get(claim.id, {}), missed_at)
    writes = WriteBatch()
    writes.add(claim, before, observation, result, **query_statistics(claim, query))
    writes.write(connection)
    unnotified = result.unnotified and not claim.silenced
    return EventEvaluation(result, observation, writes.deliveries, unnotified, writes.message_ids)
