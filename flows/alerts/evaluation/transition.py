"""Apply one evaluation to a rule: from its states and an observation to new states and notifications.

Reads nothing, writes nothing. A failure belongs to the rule, and its owner is notified. The states of
the rule's keys, and what recipients have been notified of, stay unchanged.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from analytics_worker.delivery.message import Recipient
from flows.alerts.evaluation.dependencies import FiringRule, muting_rule, rule_muting_all
from flows.alerts.evaluation.due_notification import (
    NotificationKind,
    next_notification,
    record_repeat,
)
from flows.alerts.evaluation.new_recipients import notify_new_recipients
from flows.alerts.evaluation.next_states import next_states
from flows.alerts.evaluation.observation import Failure, Observation
from flows.alerts.evaluation.owner_notifications import left_to_incidents, next_health, notify_owner
from flows.alerts.evaluation.result import EvaluationResult, summarize
from flows.alerts.evaluation.samples import group_of
from flows.alerts.evaluation.state_machine import AlertState, RuleHealth, States
from flows.alerts.expected.history import Expectations
from flows.alerts.notifications.expected import expected_ranges, worst_expected
from flows.alerts.notifications.model import AUDIENCES, Audience, Notification
from flows.alerts.notifications.reasons import reasons_without_value
from flows.alerts.rules.model import Rule
from flows.alerts.rules.silence import Matcher


class EvaluationOptions(NamedTuple):
    """What an evaluation depends on beside the rule, its states and the observation."""

    suppressed: Collection[Audience] = ()
    """Audiences that can't be notified, because of a silence or without recipients. States are updated;
    notifications that are still due later are written then."""
    silences: Sequence[Matcher] = ()
    """Silences of the alerts of some keys or of a severity."""
    recipients: Sequence[Recipient] = ()
    """Recipients of the rule's alerts."""
    muting: Sequence[FiringRule] = ()
    """Firing rules that the rule depends on."""
    baseline: Mapping[str, Decimal] | None = None
    """Samples to compare with in place of the previous ones."""
    rows: int | None = None
    """Number of rows of the SQL, to distinguish no row from NULL."""
    expectations: Expectations | None = None
    """What is expected of the values of a rule with ``expected``."""
    retention: timedelta | None = None
    """How long the state of a key without a row is kept; None keeps it."""
    notifies_errors: bool = True
    """Whether the owner is notified of errors here, and not by incidents."""


_NO_OPTIONS = EvaluationOptions()


def apply_evaluation(
    rule: Rule,
    before: States,
    health: RuleHealth,
    observation: Observation,
    now: datetime,
    options: EvaluationOptions = _NO_OPTIONS,
) -> EvaluationResult:
    """Return states, health and notifications of a rule after one evaluation.

    Args:
        rule: The rule.
        before: Its states by key.
        health: Its health before.
        observation: The samples, the failure or the reported status.
        now: Time of the evaluation.
        options: What else it depends on.
    """
    failed = isinstance(observation, Failure)
    muted_by = rule_muting_all(rule, options.muting)
    suppressed = AUDIENCES if rule.muted or muted_by else options.suppressed
    states = {
        key: state._replace(muted_by=muting_rule(rule, key, options.muting))
        for key, state in next_states(
            rule, before, observation, now, options.baseline, options.expectations
        ).items()
    }
    after = next_health(rule, health, observation, before, now)
    tells = options.notifies_errors
    after = after if tells else left_to_incidents(after)
    notifications: list[Notification] = []
    if "owner" not in suppressed:
        after, notifications = notify_owner(rule, health, after, states, now, notifies_errors=tells)
    muted = muted_keys(states, options.silences)
    if "readers" not in suppressed:
        states, due = _notify(rule, states, muted, now)
        states, added = notify_new_recipients(rule, states, due, muted, options.recipients)
        states, ended = _end_missing(rule, states, now, options.retention)
        values_at = health.succeeded_at if failed else now
        notifications += [
            _with_reasons(rule, each, observation, options, values_at)
            for each in due + added + ended
        ]
    kept = {k: s for k, s in states.items() if not _is_obsolete(s, k, observation)}
    result = summarize(
        rule, kept, after, notifications, failed=failed, muted=muted, muted_by=muted_by
    )
    if options.expectations is None or failed:
        return result
    return result._replace(value=worst_expected(rule, kept, options.expectations))


def _with_reasons(
    rule: Rule,
    notification: Notification,
    observation: Observation,
    options: EvaluationOptions,
    values_at: datetime | None,
) -> Notification:
    """Add of when the values are, why there are none, and what is expected of them."""
    reasons = reasons_without_value(rule, notification.states, observation, options.rows)
    expected = expected_ranges(notification.states, observation, options.expectations)
    return replace(notification, values_at=values_at, reasons=reasons, expected=expected)


def muted_keys(states: States, silences: Sequence[Matcher]) -> frozenset[str]:
    """Return the keys whose alert a silence concerns, or another rule mutes."""
    return frozenset(
        key
        for key, state in states.items()
        if state.muted_by
        or any(s.matches_alert(key, state.severity or state.notified_severity) for s in silences)
    )


def _notify(
    rule: Rule, states: Mapping[str, AlertState], muted: Collection[str], now: datetime
) -> tuple[dict[str, AlertState], list[Notification]]:
    """Return the states after notification, and one notification per kind and group."""
    after: dict[str, AlertState] = {}
    groups: dict[tuple[NotificationKind, str], dict[str, AlertState]] = {}
    for key, state in states.items():
        silent = state, None
        after[key], kind = silent if key in muted else next_notification(rule, state, now)
        if kind is not None:
            groups.setdefault((kind, group_of(rule, key)), {})[key] = after[key]
    for (kind, group), notified in groups.items():
        if kind == "still_firing":
            audible = {key: state for key, state in after.items() if key not in muted}
            _repeat_group(rule, group, audible, notified, now)
            after |= audible
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


def _end_missing(
    rule: Rule, states: dict[str, AlertState], now: datetime, retention: timedelta | None
) -> tuple[dict[str, AlertState], list[Notification]]:
    """End the states of keys that had no row for as long as the history is kept."""
    ended = {
        key: state
        for key, state in states.items()
        if retention and state.missing_since and now - state.missing_since >= retention
    }
    kept = {key: state for key, state in states.items() if key not in ended}
    return kept, end_notifications(rule, ended, kept, "its row is missing")


def end_notifications(rule: Rule, ended: States, kept: States, reason: str) -> list[Notification]:
    """Return the notifications of those who were notified that the states fire, one per group."""
    groups: dict[str, dict[str, AlertState]] = {}
    for key, state in ended.items():
        if state.is_notified:
            groups.setdefault(group_of(rule, key), {})[key] = state
    return [
        Notification(
            "ended",
            group=group,
            states=states,
            is_last=_is_resolved(rule, group, kept),
            end_reason=reason,
        )
        for group, states in groups.items()
    ]


def _is_obsolete(state: AlertState, key: str, observation: Observation) -> bool:
    """Return whether a key is no longer observed and no resolved notification is due for it."""
    is_missing = isinstance(observation, dict) and key not in observation
    return is_missing and state.status in {"ok", "no_data"} and state.notified_severity is None
