"""Evaluate what is due, batch by batch, each in one transaction.

Reads the rules and whatever their SQL reads; writes states, history and the outbox. A run that dies
rolls its batches back, and the next run does them again; a second run beside it takes other rules.
"""

import contextvars
import math
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from analytics_worker.database.connections import warehouse
from flows.alerts.evaluation.locking import (
    BATCH,
    Claim,
    claim_due,
    claim_event,
    load_earlier,
    load_states,
)
from flows.alerts.evaluation.queries import Answer, run_rules
from flows.alerts.evaluation.store import Writes
from flows.alerts.evaluation.transition import Failure, Found, Given, advance
from flows.alerts.notifications.model import AUDIENCES, Advance, States
from flows.alerts.notifications.recipients import unreachable
from flows.alerts.rules.model import Kind, Rule

BUDGET = timedelta(seconds=90)
"""How long a run goes on taking rules; what is left is due again at once."""

TRANSACTION_SECONDS = 300.0


@dataclass
class Evaluations:
    """What a run came to."""

    evaluated: int = 0
    errors: int = 0
    firing: int = 0
    """Rules of which at least one key fires."""
    notices: int = 0
    deliveries: int = 0
    untold: int = 0
    """Rules with something to notify, and nobody to notify."""
    postponed: int = 0
    """Due, but the run had no time left for them."""
    messages: list[UUID] = field(default_factory=list[UUID])
    """The messages that were enqueued."""

    def summary(self) -> dict[str, int]:
        """As a flow reports it."""
        return {name: count for name, count in vars(self).items() if name != "messages"}


@dataclass(frozen=True)
class Outcome:
    """What an event came to."""

    after: Advance
    found: Found
    deliveries: int
    untold: bool
    """Whether there is something to notify, and nobody to notify."""
    messages: list[UUID]


def evaluate_due(
    kinds: Sequence[Kind], *, now: datetime | None = None, budget: timedelta = BUDGET
) -> Evaluations:
    """Evaluate every rule that is due, once.

    Args:
        kinds: Which rules.
        now: As of when; the database's clock by default.
        budget: How long to go on.
    """
    run = _Run(kinds, now, time.monotonic() + budget.total_seconds())
    with ThreadPoolExecutor(1, thread_name_prefix="lane") as threads:
        second = threads.submit(contextvars.copy_context().run, run.take_all)
        run.take_all()
        second.result()
    return run.counts()


class _Run:
    """Batch after batch, in two lanes: while one writes, the SQL of the other's rules runs."""

    def __init__(self, kinds: Sequence[Kind], now: datetime | None, deadline: float) -> None:
        self._kinds, self._now, self._deadline = kinds, now, deadline
        self._done: list[Evaluations] = []
        self._passed_over: set[int] = set()
        self._reading = threading.Lock()

    def take_all(self) -> None:
        """Go on until nothing is due or the time is up."""
        try:
            while time.monotonic() < self._deadline and self._take():
                pass
        except BaseException:
            self._deadline = 0.0  # for the other lane
            raise

    def _take(self) -> bool:
        """One batch in one transaction; whether there may be more."""
        with warehouse(statement_timeout_seconds=TRANSACTION_SECONDS) as connection:
            known = list(self._passed_over)
            claims = claim_due(connection, self._kinds, now=self._now, passed_over=known)
            with self._reading:
                answers = run_rules(claims, self._deadline) if claims else {}
            counts = _settle(connection, claims, answers)
        self._done.append(counts)
        self._passed_over |= {claim.id for claim in claims if claim.id not in answers}
        return len(claims) == BATCH

    def counts(self) -> Evaluations:
        """Of all batches."""
        total = Evaluations(postponed=len(self._passed_over))
        for part in self._done:
            for name, count in part.summary().items():
                setattr(total, name, getattr(total, name) + count)
            total.messages += part.messages
        return total


def evaluate_event(
    identity: str, rule: Rule, given: Given | None = None, *, now: datetime | None = None
) -> Outcome:
    """Evaluate the rule that came with an event.

    Args:
        identity: What makes two events the same alert.
        rule: The rule.
        given: The result, if the event brought it.
        now: As of when; the database's clock by default.
    """
    with warehouse(statement_timeout_seconds=TRANSACTION_SECONDS) as connection:
        claim = claim_event(connection, identity, rule, now=now)
        answer = None if given else run_rules([claim], math.inf)[claim.id]
        found = answer.found if answer else given or Given("ok", None)
        writes = Writes()
        before = load_states(connection, [claim])[claim.id]
        after = _move(writes, claim, before, found, answer)
        writes.write(connection)
    untold = after.untold and not claim.silenced
    return Outcome(after, found, writes.deliveries, untold, writes.message_ids)


def _move(
    writes: Writes,
    claim: Claim,
    before: States,
    found: Found,
    answer: Answer | None,
    earlier: Mapping[str, float] | None = None,
) -> Advance:
    """Move one rule on and note what to write."""
    after = advance(
        claim.rule,
        before,
        claim.health,
        found,
        claim.now,
        unreachable=AUDIENCES if claim.silenced else unreachable(claim.rule),
        earlier=earlier,
    )
    writes.add(claim, before, found, after, **_measured(answer))
    return after


def _settle(
    connection: Connection, claims: Sequence[Claim], answers: Mapping[int, Answer]
) -> Evaluations:
    """Move the answered rules on, and write everything."""
    answered = [claim for claim in claims if claim.id in answers]
    counts, writes = Evaluations(evaluated=len(answered)), Writes()
    if not answered:
        return counts
    states, earlier = load_states(connection, answered), load_earlier(connection, answered)
    for claim in answered:
        answer, before = answers[claim.id], states[claim.id]
        after = _move(writes, claim, before, answer.found, answer, earlier.get(claim.id))
        counts.errors += isinstance(answer.found, Failure)
        counts.firing += bool(after.firing)
        counts.untold += after.untold and not claim.silenced
    counts.notices, counts.deliveries = len(writes.events), writes.deliveries
    counts.messages = writes.message_ids
    writes.write(connection)
    return counts


def _measured(answer: Answer | None) -> dict[str, float | None]:
    if answer is None:
        return {"rows": None, "milliseconds": None, "attempts": 1}
    return {
        "rows": answer.rows,
        "milliseconds": round(answer.milliseconds, 3),
        "attempts": answer.attempts,
    }
