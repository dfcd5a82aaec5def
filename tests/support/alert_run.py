"""Evaluate a rule period after period, without a database."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from analytics_worker.presentation.exact_numbers import decimal_of
from flows.alerts.evaluation.observation import Observation
from flows.alerts.evaluation.result import EvaluationResult
from flows.alerts.evaluation.state_machine import RuleHealth, States
from flows.alerts.evaluation.transition import EvaluationOptions, apply_evaluation
from flows.alerts.notifications.model import AUDIENCES, Notification
from flows.alerts.rules.model import Rule

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
TICK = timedelta(minutes=2)


def rule(**fields: Any) -> Rule:
    return Rule.model_validate(
        {"name": "r", "sql": "select 1", "operator": ">", "threshold": 10, **fields}
    )


def exact(value: float | Decimal | None) -> Decimal | None:
    """A value as the evaluation has it."""
    return None if value is None else decimal_of(value)


class Run:
    """Evaluates a rule period after period."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.states: States = {}
        self.health = RuleHealth()
        self.tick = 0
        self.last: EvaluationResult | None = None

    def evaluate(
        self,
        observation: Observation | Mapping[str, float | Decimal | None] | float | Decimal | None,
        *,
        silenced: bool = False,
        **options: Any,
    ) -> list[str]:
        """Apply one evaluation; return the kinds of its notifications."""
        if observation is None or isinstance(observation, int | float | Decimal):
            observation = {"": observation}
        if isinstance(observation, Mapping):
            observation = {key: exact(value) for key, value in observation.items()}
        now = START + self.tick * TICK
        self.tick += 1
        self.last = apply_evaluation(
            self.rule,
            self.states,
            self.health,
            observation,
            now,
            EvaluationOptions(suppressed=AUDIENCES if silenced else (), **options),
        )
        self.states, self.health = self.last.states, self.last.health
        return [notification.kind for notification in self.last.notifications]

    def evaluate_all(self, values: Sequence[float | None]) -> list[list[str]]:
        return [self.evaluate(value) for value in values]

    @property
    def notification(self) -> Notification:
        assert self.last is not None
        (notification,) = self.last.notifications
        return notification

    @property
    def state(self):
        return self.states[""]
