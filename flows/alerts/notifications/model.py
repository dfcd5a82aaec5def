"""Define a notification about a rule, and the order of the keys in it.

Reads nothing, writes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal

from analytics_worker.delivery.message import Recipient
from analytics_worker.trust.state import TrustState
from flows.alerts.evaluation.conditions import distance_from_ok
from flows.alerts.evaluation.due_notification import NotificationKind
from flows.alerts.evaluation.samples import NO_KEY
from flows.alerts.evaluation.state_machine import AlertState, RuleHealth, States
from flows.alerts.expected.ranges import ExpectedRange, bounded_rule
from flows.alerts.rules.model import SEVERITY_RANK, Rule, Severity, highest_severity

EventKind = (
    NotificationKind
    | Literal["ended", "error", "error_resolved", "missing_data", "missing_data_resolved"]
)
Audience = Literal["readers", "owner"]
"""The recipients of the rule's alerts (``readers``), or the owner of the rule."""

FIRING_KINDS: Sequence[EventKind] = ("firing", "firing_again", "still_firing", "flapping")

_LEAST = Decimal("-Infinity")

AUDIENCES: tuple[Audience, ...] = ("readers", "owner")


@dataclass(frozen=True)
class Notification:
    """One notification of one audience, about all keys that it concerns."""

    kind: EventKind
    audience: Audience = "readers"
    group: str = NO_KEY
    states: States = field(default_factory=dict[str, AlertState])
    health: RuleHealth = field(default_factory=RuleHealth)
    is_last: bool = False
    """For a resolved notification: whether no other key of the group is notified as firing."""
    values_at: datetime | None = None
    """Time of the evaluation that the values are of."""
    reasons: Mapping[str, str] = field(default_factory=dict[str, str])
    """By key: why there is no value, or none of the current evaluation."""
    recipients: Sequence[Recipient] | None = None
    """Those of its audience who get it; None for all."""
    recent_values: Mapping[str, Sequence[Decimal | None]] = field(
        default_factory=dict[str, Sequence[Decimal | None]]
    )
    """By key: its last values in the order of time, up to the current one; None where there is none."""
    expected: Mapping[str, ExpectedRange] = field(default_factory=dict[str, ExpectedRange])
    """By key: what is expected of its value, by a rule with ``expected``."""
    missed_at: datetime | None = None
    """When the rule was due, if it was evaluated much later."""
    end_reason: str | None = None
    """For an ended notification: why the alert is not evaluated any more."""
    trust: TrustState | None = None
    """What is known of the data that the rule reads."""

    @property
    def severities(self) -> set[Severity | None]:
        """The severities of the notification and of its keys."""
        return {self.severity, *(each.severity for each in self.states.values())}

    @property
    def severity(self) -> Severity | None:
        """The highest severity of its keys."""
        return highest_severity(s.severity or s.notified_severity for s in self.states.values())


def start_time(notification: Notification) -> datetime | None:
    """Return when the alert, or the failure of the rule, started."""
    firing = filter(None, (state.firing_since for state in notification.states.values()))
    return min(firing, default=None) or notification.health.since


def sort_worst_first(
    rule: Rule, states: States, expected: Mapping[str, ExpectedRange] | None = None
) -> list[tuple[str, AlertState]]:
    """Return keys and states, by severity and then by value, the worst first."""
    ranges = expected or {}

    def rank(item: tuple[str, AlertState]) -> tuple[int, Decimal]:
        key, state = item
        value = state.worst_value if state.status == "ok" else state.value
        bounded = bounded_rule(rule, ranges.get(key))
        distance = distance_from_ok(bounded, value) if value is not None else _LEAST
        return (-SEVERITY_RANK[state.severity], distance.copy_negate())

    return sorted(states.items(), key=rank)
