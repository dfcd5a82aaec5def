"""What an evaluation leads to: notices for people, and the rule in one line.

Reads nothing, writes nothing.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from flows.alerts.evaluation.conditions import badness, worse
from flows.alerts.evaluation.samples import NO_KEY
from flows.alerts.evaluation.state_machine import AlertState, NoticeKind, Status
from flows.alerts.rules.model import RANK, Rule, Severity, highest

EventKind = NoticeKind | Literal["error", "error_resolved"]
Audience = Literal["readers", "owner"]
AUDIENCES: tuple[Audience, ...] = ("readers", "owner")
States = Mapping[str, AlertState]

_URGENCY: list[Status] = ["ok", "unknown", "no_data", "pending", "firing"]


@dataclass(frozen=True)
class Health:
    """Whether a rule can be evaluated, and whether its owner knows if it can't."""

    error: str | None = None
    since: datetime | None = None
    told: bool = False


@dataclass(frozen=True)
class Notice:
    """What a group of people is to be told, about all keys that it concerns."""

    kind: EventKind
    audience: Audience = "readers"
    group: str = NO_KEY
    states: States = field(default_factory=dict[str, AlertState])
    health: Health = Health()
    is_last: bool = False
    """Of an end: whether nothing of the group is left that was notified and is not over."""

    @property
    def severity(self) -> Severity | None:
        """The highest of its keys."""
        return highest(s.severity or s.told for s in self.states.values())


@dataclass(frozen=True)
class Advance:
    """A rule after an evaluation."""

    states: States
    health: Health
    notices: list[Notice]
    status: Status | Literal["error"]
    severity: Severity | None
    value: float | None
    firing: int
    untold: bool = False
    """Whether something is true that nobody was notified of, though the rule is not muted."""


def began(notice: Notice) -> datetime | None:
    """Return when what a notice is about began."""
    firing = filter(None, (state.firing_since for state in notice.states.values()))
    return min(firing, default=None) or notice.health.since


def summed_up(
    rule: Rule,
    states: States,
    health: Health,
    notices: list[Notice],
    *,
    failed: bool,
    untold: bool,
) -> Advance:
    """The rule in one line: its most urgent status and its worst value."""
    every = list(states.values())
    urgency = max((_URGENCY.index(state.status) for state in every), default=0)
    return Advance(
        states=states,
        health=health,
        notices=notices,
        status="error" if failed else _URGENCY[urgency],
        severity=highest(state.severity for state in every),
        value=worse(rule, [state.value for state in every]),
        firing=sum(state.status == "firing" for state in every),
        untold=untold,
    )


def worst_first(rule: Rule, states: States) -> list[tuple[str, AlertState]]:
    """Keys and states, critical ones first, then by how bad the value is."""

    def rank(item: tuple[str, AlertState]) -> tuple[int, float]:
        state = item[1]
        value = state.worst if state.status == "ok" else state.value
        return (-RANK[state.severity], -badness(rule, value) if value is not None else math.inf)

    return sorted(states.items(), key=rank)
