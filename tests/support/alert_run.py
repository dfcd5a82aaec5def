"""A rule that is evaluated tick after tick, without a database."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from flows.alerts.evaluation.transition import Found, advance
from flows.alerts.notifications.model import AUDIENCES, Advance, Health, Notice, States
from flows.alerts.rules.model import Rule

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
TICK = timedelta(minutes=2)


def rule(**fields: Any) -> Rule:
    return Rule.model_validate(
        {"name": "r", "sql": "select 1", "operator": ">", "threshold": 10, **fields}
    )


class Run:
    """A rule that is evaluated tick after tick."""

    def __init__(self, of: Rule) -> None:
        self.rule = of
        self.states: States = {}
        self.health = Health()
        self.tick = 0
        self.last: Advance | None = None

    def see(self, found: Found | float | None, *, silenced: bool = False, **more: Any) -> list[str]:
        """One evaluation; the notices it leads to."""
        if found is None or isinstance(found, int | float):
            found = {"": found}
        now = START + self.tick * TICK
        self.tick += 1
        self.last = advance(
            self.rule,
            self.states,
            self.health,
            found,
            now,
            unreachable=AUDIENCES if silenced else (),
            **more,
        )
        self.states, self.health = self.last.states, self.last.health
        return [notice.kind for notice in self.last.notices]

    def see_all(self, values: Sequence[float | None]) -> list[list[str]]:
        return [self.see(value) for value in values]

    @property
    def notice(self) -> Notice:
        assert self.last is not None
        (notice,) = self.last.notices
        return notice

    @property
    def state(self):
        return self.states[""]
