"""Evaluate one rule apart from others: what fails is its own failure.

Computes states, notifications and the rows to write; reads and writes nothing itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from analytics_worker.settings import settings
from analytics_worker.trust.state import TrustState
from flows.alerts.evaluation.dependencies import FiringRule
from flows.alerts.evaluation.locking import Claim
from flows.alerts.evaluation.observation import Observation
from flows.alerts.evaluation.queries import QueryResult, failure_of
from flows.alerts.evaluation.recent_values import ValuesByKey, with_recent_values
from flows.alerts.evaluation.result import EvaluationResult
from flows.alerts.evaluation.state_machine import States
from flows.alerts.evaluation.store import WriteBatch
from flows.alerts.evaluation.transition import EvaluationOptions, apply_evaluation
from flows.alerts.expected.history import Expectations
from flows.alerts.notifications.model import AUDIENCES
from flows.alerts.notifications.recipients import (
    audiences_without_recipients,
    recipients_by_audience,
)


@dataclass
class RuleEvaluation:
    """The evaluation of one rule, applied and written apart from those of others."""

    claim: Claim
    before: States
    query: QueryResult
    baseline: Mapping[str, Decimal] | None = None
    expectations: Expectations | None = None
    writes: WriteBatch = field(default_factory=WriteBatch)
    muting: Sequence[FiringRule] = ()
    result: EvaluationResult | None = None

    def apply(self) -> None:
        """Apply the query's result; what fails then is the failure of the rule."""
        try:
            self._apply()
        except Exception as error:  # noqa: BLE001  # any error is this rule's own
            self.fail(error)

    @property
    def notifies(self) -> bool:
        """Whether it notifies of something."""
        return bool(self.result and self.result.notifications)

    def collect(self, recent_values: ValuesByKey, trust: TrustState | None = None) -> None:
        """Collect the rows to write, with what messages also show; an error is a failure of the rule."""
        try:
            self._collect(recent_values, trust)
        except Exception as error:  # noqa: BLE001  # any error is this rule's own
            self.fail(error)
            self._collect({}, None)

    def fail(self, error: Exception) -> None:
        """Apply a failure in place of what the query returned."""
        self.query = self.query._replace(observation=failure_of(error))
        self._apply()

    def _apply(self) -> None:
        self.result = evaluate_rule(
            self.claim,
            self.before,
            self.query.observation,
            self.query,
            self.baseline,
            self.muting,
            self.expectations,
        )

    def _collect(self, recent_values: ValuesByKey, trust: TrustState | None) -> None:
        self.writes = WriteBatch()
        if self.result:
            result = with_recent_values(self.result, recent_values, self.claim.missed_at, trust)
            statistics = query_statistics(self.claim, self.query)
            observation = self.query.observation
            self.writes.add(self.claim, self.before, observation, result, **statistics)


def evaluate_rule(
    claim: Claim,
    before: States,
    observation: Observation,
    query: QueryResult | None,
    baseline: Mapping[str, Decimal] | None = None,
    muting: Sequence[FiringRule] = (),
    expectations: Expectations | None = None,
) -> EvaluationResult:
    """Apply the evaluation of one rule."""
    recipients = recipients_by_audience(claim.rule)
    options = EvaluationOptions(
        suppressed=AUDIENCES if claim.silenced else audiences_without_recipients(recipients),
        silences=claim.silences,
        recipients=recipients["readers"],
        muting=muting,
        baseline=baseline,
        rows=query.rows if query else None,
        expectations=expectations,
        retention=timedelta(days=settings().alert_history_retention_days),
        notifies_errors=claim.kind == "event",
    )
    return apply_evaluation(claim.rule, before, claim.health, observation, claim.now, options)


def query_statistics(claim: Claim, query: QueryResult | None) -> dict[str, float | None]:
    """Return what an evaluation records of its query."""
    if query is None:
        return {"rows": None, "milliseconds": None, "attempts": 1}
    return {
        "ran_sql": claim.rule.sql is not None and claim.definition_error is None,
        "rows": query.rows,
        "milliseconds": round(query.milliseconds, 3),
        "attempts": query.attempts,
    }
