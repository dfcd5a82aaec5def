"""Notify the owner of a rule that can't be evaluated, or that has no data, and of the end of both.

Reads nothing, writes nothing. Both are notified once, repeated every ``repeat_every``, and notified again
when they end. The errors of a rule of the files open an incident instead, which notifies of them (docs/trust.md).
Missing data counts for a rule that had data and did not make it optional by ``on_empty``
or ``on_missing_key``.
"""

from datetime import datetime, timedelta

from flows.alerts.evaluation.due_notification import due_repeats, repeat_time
from flows.alerts.evaluation.observation import Failure, Observation
from flows.alerts.evaluation.state_machine import AlertState, RuleHealth, States, has_elapsed
from flows.alerts.notifications.model import Notification
from flows.alerts.rules.missing_keys import missing_key_status
from flows.alerts.rules.model import Rule


def next_health(
    rule: Rule, health: RuleHealth, observation: Observation, before: States, now: datetime
) -> RuleHealth:
    """Return the health of the rule after an observation, before notifications."""
    if isinstance(observation, Failure):
        if rule.on_error != "error":
            return health._replace(error=None, since=None)
        return health._replace(error=observation.message, since=health.since or now)
    lacks_data = _lacks_data(rule, observation, before, health)
    return health._replace(
        error=None,
        since=None,
        succeeded_at=now,
        no_data_since=(health.no_data_since or now) if lacks_data else None,
    )


def left_to_incidents(health: RuleHealth) -> RuleHealth:
    """Return the health of a rule whose errors open incidents: no notification of them is due here."""
    return health._replace(notified=health.error is not None, notified_at=None)


def _lacks_data(rule: Rule, observation: Observation, before: States, health: RuleHealth) -> bool:
    """Return whether a rule that had data has none, and nothing says that this is normal."""
    if rule.on_empty != "no_data" or not isinstance(observation, dict):
        return False
    if any(sample is not None for sample in observation.values()):
        return False
    if not rule.key_columns:
        return True
    may_be_empty = rule.is_count or missing_key_status(rule) in {"resolve", "keep"}
    if may_be_empty and not observation:
        return False
    return health.no_data_since is not None or any(_is_ok(state) for state in before.values())


def _is_ok(state: AlertState) -> bool:
    """Return whether the SQL returned a good value for a key: then it lists all keys, not the bad."""
    return state.status == "ok" and state.value is not None


def notify_owner(
    rule: Rule,
    before: RuleHealth,
    health: RuleHealth,
    states: States,
    now: datetime,
    *,
    notifies_errors: bool = True,
) -> tuple[RuleHealth, list[Notification]]:
    """Return the health after notification, and the notifications of the owner that are due."""
    of_error = list[Notification]()
    if notifies_errors:
        health, of_error = _notify_of_error(rule, before, health, now)
    health, of_data = _notify_of_data(rule, before, health, states, now)
    return health, of_error + of_data


def _notify_of_error(
    rule: Rule, before: RuleHealth, health: RuleHealth, now: datetime
) -> tuple[RuleHealth, list[Notification]]:
    if health.error is None and health.notified:
        ended = Notification("error_resolved", "owner", health=before, is_last=True)
        return health._replace(notified=False, notified_at=None), [ended]
    notified_at = (health.notified_at or health.since) if health.notified else None
    at = _due_at(rule, notified_at, now) if health.error is not None else None
    if at is None:
        return health, []
    health = health._replace(notified=True, notified_at=at)
    return health, [Notification("error", "owner", health=health)]


def _notify_of_data(
    rule: Rule, before: RuleHealth, health: RuleHealth, states: States, now: datetime
) -> tuple[RuleHealth, list[Notification]]:
    since, notified_at = health.no_data_since, health.no_data_notified_at
    if since is None:
        if notified_at is None:
            return health, []
        start = RuleHealth(since=before.no_data_since)
        ended = Notification("missing_data_resolved", "owner", health=start, is_last=True)
        return health._replace(no_data_notified_at=None), [ended]
    wait = _wait(rule, states)
    is_due = wait is not None and health.error is None and has_elapsed(rule, wait, since, now)
    at = _due_at(rule, notified_at, now) if is_due else None
    if at is None:
        return health, []
    started = Notification("missing_data", "owner", health=RuleHealth(since=since))
    return health._replace(no_data_notified_at=at), [started]


def _wait(rule: Rule, states: States) -> timedelta | None:
    """Return how long data may be missing; recipients of a firing alert are notified first."""
    if not any(state.is_notified for state in states.values()):
        return rule.no_data_period
    return rule.no_data_period + rule.repeat_every if rule.repeat_every else None


def _due_at(rule: Rule, notified_at: datetime | None, now: datetime) -> datetime | None:
    """Return when the first notification or a repeat was due; None if none is."""
    if notified_at is None:
        return now
    return repeat_time(rule, notified_at, now) if due_repeats(rule, notified_at, now) else None
