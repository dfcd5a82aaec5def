"""Apply one evaluation to a rule: from its states and an observation to new states and notifications.

Reads nothing, writes nothing. A failure belongs to the rule, and its owner is notified. The states of
the rule's keys, and what recipients have been notified of, stay unchanged.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime

from flows.alerts.evaluation.observation import Failure, Observation, ReportedStatus
from flows.alerts.evaluation.result import EvaluationResult, summarize
from flows.alerts.evaluation.samples import NO_KEY, Samples, group_of
from flows.alerts.evaluation.state_machine import (
    AlertState,
    NotificationKind,
    RuleHealth,
    States,
    classify,
    next_notification,
    record_repeat,
    update_state,
)
from flows.alerts.notifications.model import AUDIENCES, Audience, Notification
from flows.alerts.rules.model import Rule


def apply_evaluation(
    rule: Rule,
    before: States,
    health: RuleHealth,
    observation: Observation,
    now: datetime,
    *,
    suppressed: Collection[Audience] = (),
    baseline: Mapping[str, float] | None = None,
) -> EvaluationResult:
    """Return states, health and notifications of a rule after one evaluation.

    Args:
        rule: The rule.
        before: Its states by key.
        health: Its health before.
        observation: The samples, the failure or the reported status.
        now: Time of the evaluation.
        suppressed: Audiences that can't be notified, because of a silence or without recipients.
            States are updated; notifications that are still due later are written then.
        baseline: Samples to compare with in place of the previous ones.
    """
    states = _next_states(rule, before, observation, now, baseline)
    suppressed = AUDIENCES if rule.muted else suppressed
    failure = observation if isinstance(observation, Failure) else None
    health, notifications = _next_health(
        rule, health, failure, now, suppressed="owner" in suppressed
    )
    if "readers" not in suppressed:
        states, due = _notify(rule, before, states, now)
        notifications += due
    kept = {k: s for k, s in states.items() if not _is_obsolete(s, k, observation)}
    return summarize(rule, kept, health, notifications, failed=failure is not None)


def _next_states(
    rule: Rule,
    before: States,
    observation: Observation,
    now: datetime,
    baseline: Mapping[str, float] | None,
) -> dict[str, AlertState]:
    if isinstance(observation, Failure):
        if rule.on_error != "alert":
            return dict(before)
        observation = ReportedStatus(rule.highest_severity, None)
    if isinstance(observation, ReportedStatus):
        return _reported_states(rule, before, observation, now)
    return {
        key: _next_state(rule, before.get(key) or AlertState(now), key, observation, now, baseline)
        for key in _observed_keys(rule, before, observation)
    }


def _reported_states(
    rule: Rule, before: States, reported: ReportedStatus, now: datetime
) -> dict[str, AlertState]:
    """Return the states with the reported status, for all keys."""
    if reported.status == "keep_last":
        return dict(before)
    current = before or {NO_KEY: AlertState(now)}
    return {
        key: update_state(rule, state, reported.status, reported.value, now)
        for key, state in current.items()
    }


def _observed_keys(rule: Rule, before: States, samples: Samples) -> list[str]:
    """Return known and new keys; no rows at all count as an observation without a key."""
    keys = dict.fromkeys([*before, *samples])
    if not keys and rule.on_empty == "alert":
        return [NO_KEY]
    return list(keys)


def _next_state(
    rule: Rule,
    state: AlertState,
    key: str,
    samples: Samples,
    now: datetime,
    baseline: Mapping[str, float] | None,
) -> AlertState:
    if rule.key_columns and key == NO_KEY and samples:  # rows with keys replace the empty result
        return update_state(rule, state, "ok", None, now)
    is_count = rule.measure == "rows" or rule.reduce == "count"
    sample = samples.get(key, 0.0 if is_count else None)
    base = state.sample if baseline is None else baseline.get(key)
    value = _measure(rule, sample, base)
    last_sample = state.sample if sample is None else sample
    classification = classify(rule, state, value)
    return update_state(rule, state, classification, value, now)._replace(sample=last_sample)


def _measure(rule: Rule, sample: float | None, base: float | None) -> float | None:
    """Return the value to compare: the sample, or its change since the base."""
    if not rule.measure.startswith("change"):
        return sample
    if sample is None or base is None:
        return None
    change = sample - base
    if rule.measure == "change_percent" and change:
        change = math.copysign(math.inf, change) if base == 0 else change / abs(base) * 100
    return None if math.isnan(change) else change


def _next_health(
    rule: Rule, health: RuleHealth, failure: Failure | None, now: datetime, *, suppressed: bool
) -> tuple[RuleHealth, list[Notification]]:
    """Return the health of the rule, and the notification of its owner if it changed."""
    failed = failure is not None and rule.on_error == "error"
    after = RuleHealth(notified=health.notified)
    if failure is not None and failed:
        after = RuleHealth(failure.message, health.since or now, health.notified)
    if suppressed or failed == health.notified:
        return after, []
    kind = "error" if failed else "error_resolved"
    notification = Notification(
        kind, "owner", health=after if failed else health, is_last=not failed
    )
    return replace(after, notified=failed), [notification]


def _notify(
    rule: Rule, before: States, states: Mapping[str, AlertState], now: datetime
) -> tuple[dict[str, AlertState], list[Notification]]:
    """Return the states after notification, and one notification per kind and group."""
    after: dict[str, AlertState] = {}
    groups: dict[tuple[NotificationKind, str], dict[str, AlertState]] = {}
    for key, state in states.items():
        after[key], kind = next_notification(rule, before.get(key) or state, state, now)
        if kind is not None:
            groups.setdefault((kind, group_of(rule, key)), {})[key] = after[key]
    for (kind, group), notified in groups.items():
        if kind == "still_firing":
            _repeat_group(rule, group, after, notified, now)
    return after, [
        Notification(kind, group=group, states=notified, is_last=_is_resolved(rule, group, after))
        for (kind, group), notified in groups.items()
    ]


def _is_resolved(rule: Rule, group: str, states: States) -> bool:
    """Return whether no key of the group is notified as firing."""
    return not any(
        state.notified_severity for key, state in states.items() if group_of(rule, key) == group
    )


def _repeat_group(
    rule: Rule,
    group: str,
    after: dict[str, AlertState],
    repeated: dict[str, AlertState],
    now: datetime,
) -> None:
    """Repeat all firing keys of the group in one notification, and align their next repeats."""
    for key, state in after.items():
        if state.status == "firing" and state.notified_severity and group_of(rule, key) == group:
            notified_at = max(s.notified_at for s in repeated.values() if s.notified_at)
            if key not in repeated:
                state = record_repeat(rule, state, now)._replace(notified_at=notified_at)  # noqa: PLW2901
            repeated[key] = after[key] = state


def _is_obsolete(state: AlertState, key: str, observation: Observation) -> bool:
    """Return whether a key is no longer observed and no resolved notification is due for it."""
    is_missing = isinstance(observation, dict) and key not in observation
    return is_missing and state.status in {"ok", "no_data"} and state.notified_severity is None
