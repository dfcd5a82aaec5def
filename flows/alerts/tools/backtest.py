"""Backtest a rule: replay its conditions over the past and list the notifications.

Reads the recorded samples of the rule. If its SQL uses ``:now``, runs it as of each past period instead.
Writes nothing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.database.reader_sessions import reader_session
from analytics_worker.database.select_guard import placeholders
from analytics_worker.errors import PermanentError
from flows.alerts.evaluation.observation import Failure, Observation
from flows.alerts.evaluation.queries import read_samples
from flows.alerts.evaluation.samples import NO_KEY
from flows.alerts.evaluation.state_machine import RuleHealth, States
from flows.alerts.evaluation.transition import apply_evaluation
from flows.alerts.notifications.model import EventKind
from flows.alerts.rules.model import Rule
from flows.alerts.rules.times import due_times
from flows.alerts.rules.validation import NOW

MAX_PERIODS = 2000


@dataclass(frozen=True)
class ReplayedNotification:
    """One notification of a replay."""

    at: datetime
    kind: EventKind
    severity: str | None
    keys: int
    value: Decimal | None


@dataclass(frozen=True)
class Replay:
    """Result of a backtest."""

    notifications: list[ReplayedNotification]
    evaluations: int
    source: str


def backtest(rule: Rule, since: datetime) -> Replay:
    """Replay a rule from a time until now.

    Raises:
        PermanentError: no samples are recorded and the SQL does not use ``:now``.
    """
    if NOW in placeholders(rule.sql or ""):
        return replay(
            rule, _historical_observations(rule, since), "each as of its time (the SQL uses :now)"
        )
    recorded = _recorded_observations(rule, since)
    if not recorded:
        raise PermanentError(
            f"No recorded samples of {rule.name} found since {since:%Y-%m-%d %H:%M}. Wait for evaluations"
            " of the rule, or use :now in its SQL for the time of the evaluation."
        )
    return replay(rule, recorded, "from recorded samples")


def replay(rule: Rule, past: Iterable[tuple[datetime, Observation]], source: str) -> Replay:
    """Apply past observations to a rule, starting without a state."""
    states: States = {}
    health, notifications, evaluations = RuleHealth(), list[ReplayedNotification](), 0
    for at, observation in past:
        result = apply_evaluation(rule, states, health, observation, at)
        states, health, evaluations = result.states, result.health, evaluations + 1
        notifications += [
            ReplayedNotification(at, each.kind, each.severity, len(each.states), result.value)
            for each in result.notifications
        ]
    return Replay(notifications, evaluations, source)


def _recorded_observations(rule: Rule, since: datetime) -> list[tuple[datetime, Observation]]:
    with warehouse() as connection:
        rows = run_sql(connection, "alerts/recorded_samples", rule_name=rule.name, since=since)
    observations: list[tuple[datetime, Observation]] = []
    for row in rows:
        if row["error"] is not None:
            observations.append((row["slot"], Failure(row["error"])))
        elif row["samples"] is not None:
            samples = {k: None if v is None else Decimal(str(v)) for k, v in row["samples"].items()}
            observations.append((row["slot"], samples))
        else:
            observations.append((row["slot"], {NO_KEY: row["sample"]}))
    return observations


def _historical_observations(rule: Rule, since: datetime) -> Iterator[tuple[datetime, Observation]]:
    """Run the SQL as of each due time."""
    with reader_session(rule.reader) as session:
        for at in _times(rule, since, datetime.now(UTC)):
            try:
                yield at, read_samples(session, rule, at)[0]
            except PermanentError as error:
                yield at, Failure(str(error))


def _times(rule: Rule, since: datetime, now: datetime) -> list[datetime]:
    """Return the due times of a rule, or at most MAX_PERIODS evenly spaced times."""
    if times := due_times(rule):
        return times.latest(since, now, MAX_PERIODS)
    step = max(rule.every, (now - since) / MAX_PERIODS)
    return [since + number * step for number in range(int((now - since) / step) + 1)]
