"""Evaluate what is due, batch by batch, each in one transaction.

Reads the rules and whatever their SQL reads; writes states, history and the outbox. A run that dies
rolls its batch back, and the next run does it again; a second run beside it takes other rules.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from flows.alerts._advance import Failure, Found, Given, advance
from flows.alerts._claims import BATCH, Claim, claim_due, claim_event, load_earlier, load_states
from flows.alerts._notice import Advance, States
from flows.alerts._query import Answer, run_rules
from flows.alerts._rule import Kind, Rule
from flows.alerts._store import Writes
from toolkit.database import warehouse

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
    postponed: int = 0
    """Due, but the run had no time left for them."""

    def summary(self) -> dict[str, int]:
        """As a flow reports it."""
        return asdict(self)


@dataclass(frozen=True)
class Outcome:
    """What an event came to."""

    after: Advance
    found: Found
    deliveries: int


def evaluate_due(
    kinds: Sequence[Kind], *, now: datetime | None = None, budget: timedelta = BUDGET
) -> Evaluations:
    """Evaluate every rule that is due, once.

    Args:
        kinds: Which rules.
        now: As of when; the database's clock by default.
        budget: How long to go on.
    """
    counts = Evaluations()
    deadline = time.monotonic() + budget.total_seconds()
    passed_over: list[int] = []
    while time.monotonic() < deadline:
        with warehouse(statement_timeout_seconds=TRANSACTION_SECONDS) as connection:
            claims = claim_due(connection, kinds, now=now, passed_over=passed_over)
            answers = run_rules(claims, deadline) if claims else {}
            _settle(connection, claims, answers, counts)
        passed_over += [claim.id for claim in claims if claim.id not in answers]
        if len(claims) < BATCH:
            break
    counts.postponed = len(passed_over)
    return counts


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
    return Outcome(after, found, len(writes.deliveries))


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
        silenced=claim.silenced,
        earlier=earlier,
    )
    writes.add(claim, before, found, after, **_measured(answer))
    return after


def _settle(
    connection: Connection, claims: Sequence[Claim], answers: dict[int, Answer], counts: Evaluations
) -> None:
    """Move the answered rules on, and write everything."""
    answered = [claim for claim in claims if claim.id in answers]
    if not answered:
        return
    states, earlier = load_states(connection, answered), load_earlier(connection, answered)
    writes = Writes()
    for claim in answered:
        answer, before = answers[claim.id], states[claim.id]
        after = _move(writes, claim, before, answer.found, answer, earlier.get(claim.id))
        counts.evaluated += 1
        counts.errors += isinstance(answer.found, Failure)
        counts.firing += bool(after.firing)
    counts.notices += len(writes.events)
    counts.deliveries += len(writes.deliveries)
    writes.write(connection)


def _measured(answer: Answer | None) -> dict[str, float | None]:
    if answer is None:
        return {"rows": None, "milliseconds": None, "attempts": 1}
    return {
        "rows": answer.rows,
        "milliseconds": round(answer.milliseconds, 3),
        "attempts": answer.attempts,
    }
