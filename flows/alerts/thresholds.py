"""Evaluate the metrics of definitions/thresholds.yml against their warning and critical thresholds.

Reads the rules and what their SQL reads; writes states, history and the outbox, and sends due
notifications. Safe to repeat: a rule is evaluated once per period, a notification is sent once.
"""

from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.retries import HISTORY, THRESHOLDS
from analytics_worker.prefect_support.task import task
from flows.alerts.evaluation.flow_results import (
    EvaluationSummary,
    ScheduledResult,
    scheduled_outcome,
    scheduled_result,
)
from flows.alerts.evaluation.reads import record_reads
from flows.alerts.tasks import deliver, evaluate, publish_states

deliver_notifications = task(**THRESHOLDS, name="deliver notifications")(deliver)
record_rule_reads = task(**HISTORY, name="record what rules read")(record_reads)


@task(**THRESHOLDS, name="evaluate thresholds")
def evaluate_thresholds() -> EvaluationSummary:
    """Evaluate due threshold rules."""
    return evaluate(["threshold"])


@flow(timeout_seconds=240, run_name="thresholds", outcome=scheduled_outcome)
def check_threshold_conditions() -> ScheduledResult:
    """Evaluate all metrics with thresholds, and notify of those that crossed one.

    A rule that can't be evaluated does not affect the others. The run ends as Partial, and an incident
    notifies the owner of the rule.
    """
    evaluated = evaluate_thresholds()
    deliveries = deliver_notifications(evaluated["messages"])
    record_rule_reads(return_state=True)  # alerts do not fail with it
    publish_states()
    return scheduled_result(evaluated["summary"], deliveries)
