"""Backtest a rule: replay its conditions over the past and list the notifications.

Reads the recorded samples of the rule. If its SQL uses ``:now``, or the rule has a period, runs it as of each past time
instead. Writes nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.database.reader_sessions import reader_session
from analytics_worker.database.select_guard import placeholders
from analytics_worker.errors import PermanentError
from flows.alerts.evaluation.observation import Failure, Observation
from flows.alerts.evaluation.queries import read_samples
from flows.alerts.evaluation.result import EvaluationResult
from flows.alerts.evaluation.samples import NO_KEY
from flows.alerts.evaluation.state_machine import RuleHealth, States
from flows.alerts.evaluation.transition import EvaluationOptions, apply_evaluation
from flows.alerts.expected.recorded import RecordedExpectations, horizon
from flows.alerts.notifications.expected import expected_text
from flows.alerts.notifications.model import EventKind, Notification
from flows.alerts.rules.model import Rule
from flows.alerts.rules.periods import NOW
from flows.alerts.rules.times import due_times

MAX_PERIODS = 2000


@dataclass(frozen=True)
class ReplayedNotification:
    """One notification of a replay."""

    at: datetime
    kind: EventKind
    severity: str | None
    keys: int
    value: Decimal | None
    expected: str | None = None
    """What was expected of the value of a single key, by a rule with ``expected``."""


@dataclass(frozen=True)
class Replay:
    """Result of a backtest."""

    notifications: list[ReplayedNotification]
    evaluations: int
    source: str
    learning: int = 0
    """Evaluations of a rule with ``expected`` in which it expected nothing of any key yet."""


def backtest(rule: Rule, since: datetime) -> Replay:
    """Replay a rule from a time until now.

    Raises:
        PermanentError: no samples are recorded and the SQL does not use ``:now``.
    """
    uses_now = NOW in placeholders(rule.sql or "")
    if uses_now or rule.period:
        times = _times(rule, since - horizon(rule), datetime.now(UTC))
        step = times[1] - times[0] if len(times) > 1 and not rule.has_own_times else timedelta(0)
        past = _historical_observations(rule, times)
        reason = "the SQL uses :now" if uses_now else f"the rule has period: {rule.period}"
        return replay(rule, past, f"each as of its time ({reason})", since, step)
    recorded = _recorded_observations(rule, since - horizon(rule))
    if not any(at >= since for at, _ in recorded):
        raise PermanentError(
            f"No recorded samples of {rule.name} found since {since:%Y-%m-%d %H:%M}. Wait for evaluations"
            " of the rule, or use :now in its SQL for the time of the evaluation."
        )
    return replay(rule, recorded, "from recorded samples", since)


def replay(
    rule: Rule,
    past: Iterable[tuple[datetime, Observation]],
    source: str,
    since: datetime | None = None,
    step: timedelta = timedelta(0),
) -> Replay:
    """Apply past observations to a rule, starting without a state.

    Args:
        rule: The rule.
        past: The observations, the earliest first.
        source: Where they are from.
        since: Those before this time are only learned from.
        step: Time between them, if it is not that of the rule.
    """
    states: States = {}
    health, notifications, evaluations = RuleHealth(), list[ReplayedNotification](), 0
    recorded, learning = RecordedExpectations(rule, step), 0
    for at, observation in past:
        if since is None or at >= since:
            expectations = recorded.expectations(at)
            options = EvaluationOptions(expectations=expectations)
            result = apply_evaluation(rule, states, health, observation, at, options)
            states, health, evaluations = result.states, result.health, evaluations + 1
            learning += bool(expectations and expectations.is_learning)
            notifications += [_replayed(rule, at, each, result) for each in result.notifications]
        if isinstance(observation, dict):
            recorded.add(at, observation)
    return Replay(notifications, evaluations, source, learning)


def _replayed(
    rule: Rule, at: datetime, notification: Notification, result: EvaluationResult
) -> ReplayedNotification:
    is_single = len(notification.states) == 1
    text = expected_text(rule, notification, next(iter(notification.states))) if is_single else None
    keys, value = len(notification.states), result.value
    return ReplayedNotification(at, notification.kind, notification.severity, keys, value, text)


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


def _historical_observations(
    rule: Rule, times: Sequence[datetime]
) -> Iterator[tuple[datetime, Observation]]:
    """Run the SQL as of each time."""
    with reader_session(rule.reader) as session:
        for at in times:
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
