"""What a rule would have told: its conditions, replayed over the past.

Reads the recorded readings of the rule, or, if its SQL says ``:now``, runs it as of each past period.
Writes nothing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.database.reader_sessions import reader_session
from analytics_worker.database.select_guard import placeholders
from analytics_worker.errors import PermanentError
from flows.alerts.evaluation.queries import read
from flows.alerts.evaluation.samples import NO_KEY
from flows.alerts.evaluation.transition import Failure, Found, advance
from flows.alerts.notifications.model import EventKind, Health, States
from flows.alerts.rules.model import Rule
from flows.alerts.rules.validation import NOW

MOST_PERIODS = 2000


@dataclass(frozen=True)
class Told:
    """One notice that would have been."""

    at: datetime
    kind: EventKind
    severity: str | None
    keys: int
    value: float | None


@dataclass(frozen=True)
class Replay:
    """A rule's past."""

    told: list[Told]
    evaluations: int
    source: str


def backtest(rule: Rule, since: datetime) -> Replay:
    """Replay a rule from a time until now.

    Raises:
        PermanentError: there is nothing to replay.
    """
    if NOW in placeholders(rule.sql or ""):
        return replay(rule, _asked(rule, since), "each as of its time (the SQL uses :now)")
    recorded = _recorded(rule, since)
    if not recorded:
        raise PermanentError(
            f"{rule.name} has no recorded readings since {since:%Y-%m-%d %H:%M}. Let it run for a while,"
            " or use :now in its SQL for the time as of which it is evaluated."
        )
    return replay(rule, recorded, "from recorded readings")


def replay(rule: Rule, past: Iterable[tuple[datetime, Found]], source: str) -> Replay:
    """Move a rule on over past findings, from no state."""
    states: States = {}
    health, told, evaluations = Health(), list[Told](), 0
    for at, found in past:
        after = advance(rule, states, health, found, at)
        states, health, evaluations = after.states, after.health, evaluations + 1
        told += [Told(at, n.kind, n.severity, len(n.states), after.value) for n in after.notices]
    return Replay(told, evaluations, source)


def _recorded(rule: Rule, since: datetime) -> list[tuple[datetime, Found]]:
    with warehouse() as connection:
        rows = run_sql(connection, "alerts/past_readings", rule_name=rule.name, since=since)
    past: list[tuple[datetime, Found]] = []
    for row in rows:
        if row["error"] is not None:
            past.append((row["slot"], Failure(row["error"])))
        elif row["readings"] is not None:
            numbers = {k: None if v is None else float(v) for k, v in row["readings"].items()}
            past.append((row["slot"], numbers))
        else:
            past.append((row["slot"], {NO_KEY: row["reading"]}))
    return past


def _asked(rule: Rule, since: datetime) -> Iterator[tuple[datetime, Found]]:
    """Each period since then, or as many as there may be, evenly spread."""
    now = datetime.now(UTC)
    step = max(rule.every, (now - since) / MOST_PERIODS)
    with reader_session(rule.reader) as session:
        at = since
        while at <= now:
            try:
                yield at, read(session, rule, at)[0]
            except PermanentError as error:
                yield at, Failure(str(error))
            at += step
