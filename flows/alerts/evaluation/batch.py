"""Evaluate the rules of a batch apart from each other, and write all of them in one transaction.

Reads the states; writes what `WriteBatch` writes. An error of one rule, or a value of it that the
database refuses, is the failure of that rule. Only an unavailable database ends the batch.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from analytics_worker.errors import PermanentError, is_database_outage
from flows.alerts.evaluation.dependencies import (
    Dependencies,
    dependencies_first,
    load_dependencies,
)
from flows.alerts.evaluation.locking import Claim, load_baselines, load_states, with_silences
from flows.alerts.evaluation.observation import Failure
from flows.alerts.evaluation.queries import QueryResult
from flows.alerts.evaluation.recent_values import (
    ValuesByKey,
    load_recent_values,
)
from flows.alerts.evaluation.rule_evaluation import RuleEvaluation
from flows.alerts.evaluation.store import WriteBatch
from flows.alerts.evaluation.trust import load_trust
from flows.alerts.expected.history import load_expectations

logger = logging.getLogger(__name__)


@dataclass
class EvaluationCounts:
    """Counts of a run."""

    evaluated: int = 0
    errors: int = 0
    firing: int = 0
    """Rules with at least one firing key."""
    notifications: int = 0
    deliveries: int = 0
    unnotified: int = 0
    """Rules with a due notification and no recipients."""
    postponed: int = 0
    """Due rules that the run had no time for."""
    incomplete: int = 0
    """Due rules that are not evaluated, because data of their period is missing."""
    message_ids: list[UUID] = field(default_factory=list[UUID])
    """The enqueued messages."""
    unstored: list[int] = field(default_factory=list[int])
    """Rules of which nothing could be stored; they stay due for the next run."""

    def add(self, other: "EvaluationCounts") -> None:
        """Add the counts of a batch."""
        for name in (each.name for each in fields(self)):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def summary(self) -> dict[str, int]:
        """Return the counts with the keys of the flow results."""
        return {
            "evaluated": self.evaluated,
            "errors": self.errors,
            "firing": self.firing,
            "notices": self.notifications,
            "deliveries": self.deliveries,
            "untold": self.unnotified,
            "postponed": self.postponed,
            "incomplete": self.incomplete,
        }


def evaluate_batch(
    connection: Connection, claims: Sequence[Claim], results: Mapping[int, QueryResult]
) -> EvaluationCounts:
    """Evaluate the rules that have a query result, and write everything."""
    claims = [claim for claim in claims if claim.id in results]
    if not claims:
        return EvaluationCounts()
    claims = with_silences(connection, claims)
    states, baselines = load_states(connection, claims), load_baselines(connection, claims)
    expectations = load_expectations(
        connection, {each.id: (each.rule, each.slot) for each in claims}
    )
    evaluations = [
        RuleEvaluation(
            each,
            states[each.id],
            results[each.id],
            baselines.get(each.id),
            expectations.get(each.id),
        )
        for each in claims
    ]
    _apply_all(evaluations, load_dependencies(connection, claims))
    recent_values = _load_recent_values(connection, evaluations)
    trust = load_trust(connection, [each.claim for each in evaluations if each.notifies])
    for each in evaluations:
        each.collect(recent_values.get(each.claim.id, {}), trust.get(each.claim.id))
    _write(connection, evaluations)
    return _counts(evaluations)


def _apply_all(evaluations: Sequence[RuleEvaluation], dependencies: Dependencies) -> None:
    """Apply each evaluation after those of the rules that it depends on."""
    for each in dependencies_first(evaluations, dependencies):
        each.muting = dependencies.muting(each.claim.rule, each.claim.now)
        each.apply()
        if each.result:
            dependencies.update(each.claim.id, each.result.states, each.result.health)


def _load_recent_values(
    connection: Connection, evaluations: Sequence[RuleEvaluation]
) -> Mapping[int, ValuesByKey]:
    """Return the recent_values of the rules that notify of something."""
    return load_recent_values(
        connection,
        {
            each.claim.id: (each.claim.rule, each.result)
            for each in evaluations
            if each.result and each.notifies
        },
    )


def _write(connection: Connection, evaluations: Sequence[RuleEvaluation]) -> None:
    """Write all evaluations at once; if the database refuses a value, one rule after the other."""
    try:
        with connection.begin_nested():
            WriteBatch.merged([each.writes for each in evaluations]).write(connection)
    except DBAPIError as error:
        _raise_outage(error)
        for each in evaluations:
            _write_alone(connection, each)


def _write_alone(connection: Connection, evaluation: RuleEvaluation) -> None:
    """Write the evaluation of one rule; what the database refuses is the failure of the rule."""
    try:
        with connection.begin_nested():
            evaluation.writes.write(connection)
    except DBAPIError as error:
        _raise_outage(error)
        evaluation.fail(PermanentError(f"the result can't be stored: {error.orig}"))
        evaluation.collect({})
        _write_failure(connection, evaluation)


def _write_failure(connection: Connection, evaluation: RuleEvaluation) -> None:
    """Write the failure of one rule; if the database refuses that, too, the rule stays due."""
    try:
        with connection.begin_nested():
            evaluation.writes.write(connection)
    except DBAPIError as error:
        _raise_outage(error)
        evaluation.writes = WriteBatch()
        logger.exception("the failure of rule %r can't be stored", evaluation.claim.rule.name)


def _raise_outage(error: DBAPIError) -> None:
    """Raise the error again if the database is unavailable; otherwise it concerns one rule."""
    if error.connection_invalidated or is_database_outage(error):
        raise error


def _counts(evaluations: Sequence[RuleEvaluation]) -> EvaluationCounts:
    counts = EvaluationCounts(evaluated=len(evaluations))
    for each in evaluations:
        result, writes = each.result, each.writes
        counts.errors += isinstance(each.query.observation, Failure)
        counts.firing += bool(result and result.firing)
        counts.unnotified += bool(result and result.unnotified and not each.claim.silenced)
        counts.notifications += len(writes.events)
        counts.deliveries += writes.deliveries
        counts.message_ids += writes.message_ids
        counts.unstored += [] if writes.evaluations else [each.claim.id]
    return counts
