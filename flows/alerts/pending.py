"""Evaluate the rules of definitions/alerts.yml and send notifications.

Reads the rules and what their SQL reads; writes states, history and the outbox. Sends due notifications,
then due messages of all other domains. Safe to repeat: a rule is evaluated once per period, a
notification is sent once.
"""

from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.retries import ALERTS, HISTORY
from analytics_worker.prefect_support.task import task
from flows.alerts.evaluation.flow_results import (
    EvaluationSummary,
    ScheduledResult,
    scheduled_outcome,
    scheduled_result,
)
from flows.alerts.evaluation.reads import record_reads
from flows.alerts.tasks import deliver, deliver_others, evaluate, prune, publish_states

deliver_notifications = task(**ALERTS, name="deliver notifications")(deliver)
deliver_other_messages = task(**ALERTS, name="deliver other messages")(deliver_others)
record_rule_reads = task(**HISTORY, name="record what rules read")(record_reads)
prune_history = task(**HISTORY, name="prune alert history")(prune)


@task(**ALERTS, name="evaluate alert rules")
def evaluate_alerts() -> EvaluationSummary:
    """Evaluate due alert rules, and the rules of events whose alerts are not resolved."""
    return evaluate(["alert", "event"])


@flow(timeout_seconds=240, run_name="alerts", outcome=scheduled_outcome)
def process_pending_alerts() -> ScheduledResult:
    """Evaluate due alert rules; send due messages, including those of earlier runs.

    A rule that can't be evaluated does not affect the others. The run ends as Partial, and an incident
    notifies the owner of the rule.
    """
    evaluated = evaluate_alerts()
    deliveries = deliver_notifications(evaluated["messages"])
    prune_history()
    record_rule_reads(return_state=True)  # alerts do not fail with it
    publish_states()
    return scheduled_result(evaluated["summary"], deliveries, deliver_other_messages())
