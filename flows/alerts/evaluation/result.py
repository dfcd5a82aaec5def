"""Summarize the evaluation of a rule: its most urgent status and its worst value.

Reads nothing, writes nothing.
"""

from collections.abc import Collection, Iterable
from decimal import Decimal
from typing import Literal, NamedTuple

from flows.alerts.evaluation.conditions import worst_value
from flows.alerts.evaluation.state_machine import AlertState, RuleHealth, States, Status
from flows.alerts.notifications.model import Notification
from flows.alerts.rules.model import SEVERITY_RANK, Rule, Severity, highest_severity

_URGENCY: list[Status] = ["ok", "unknown", "no_data", "pending", "firing"]


class EvaluationResult(NamedTuple):
    """A rule after an evaluation."""

    states: States
    health: RuleHealth
    notifications: list[Notification]
    status: Status | Literal["error"]
    severity: Severity | None
    value: Decimal | None
    firing: int
    muted_by: str | None = None
    """Name of the rule that muted all its notifications."""
    unnotified: bool = False
    """Whether a notification is still due, although the rule is not muted."""


def summarize(
    rule: Rule,
    states: States,
    health: RuleHealth,
    notifications: list[Notification],
    *,
    failed: bool,
    muted: Collection[str] = (),
    muted_by: str | None = None,
) -> EvaluationResult:
    """Return the result of an evaluation."""
    urgency = max((_URGENCY.index(state.status) for state in states.values()), default=0)
    return EvaluationResult(
        states=states,
        health=health,
        notifications=notifications,
        status="error" if failed else _URGENCY[urgency],
        severity=highest_severity(state.severity for state in states.values()),
        value=worst_value(rule, [state.value for state in states.values()]),
        firing=sum(state.status == "firing" for state in states.values()),
        muted_by=muted_by,
        unnotified=not rule.muted
        and muted_by is None
        and _is_unnotified([state for key, state in states.items() if key not in muted], health),
    )


def _is_unnotified(states: Iterable[AlertState], health: RuleHealth) -> bool:
    """Return whether an alert fires, or the rule fails, without a notification."""
    fires = any(
        state.status == "firing"
        and SEVERITY_RANK[state.severity] > SEVERITY_RANK[state.notified_severity]
        for state in states
    )
    return fires or (health.error is not None and not health.notified)
