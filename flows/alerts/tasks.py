"""Steps shared by the four alert flows: evaluate, deliver, publish the states.

Reads and writes the alert tables, sends notifications, and writes the artifact ``alert-states``. Each
step is safe to repeat: a period is evaluated once, a notification is sent once.
"""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.delivery import deliver_due, delivery_statuses
from analytics_worker.delivery import prune as prune_messages
from analytics_worker.delivery.counts import DeliveryCounts
from analytics_worker.prefect_support.table_artifacts import create_table_artifact
from analytics_worker.settings import settings
from flows.alerts.evaluation.flow_results import (
    DeliverySummary,
    EvaluationSummary,
    OwnDeliveries,
)
from flows.alerts.evaluation.runner import evaluate_due
from flows.alerts.rules.model import Kind
from flows.alerts.tools.states import shown_states

BUDGET = timedelta(seconds=60)
"""How long a run starts deliveries; the remaining ones are due for the next run."""
OTHER_DOMAINS_BUDGET = timedelta(seconds=30)


def evaluate(kinds: Sequence[Kind]) -> EvaluationSummary:
    """Evaluate the due rules of some kinds."""
    counts = evaluate_due(kinds)
    return EvaluationSummary(
        summary=counts.summary(), messages=[str(each) for each in counts.message_ids]
    )


def deliver(messages: Sequence[str]) -> DeliverySummary:
    """Send due notifications, including those of earlier runs; count the run's own."""
    counts = deliver_due("alerts", budget=BUDGET)
    with warehouse() as connection:
        statuses = delivery_statuses(connection, [UUID(each) for each in messages])
    own = OwnDeliveries(
        sent=statuses.get("sent", 0) + statuses.get("digested", 0),
        waiting=statuses.get("pending", 0) + statuses.get("sending", 0),
        failed=statuses.get("failed", 0),
    )
    return DeliverySummary(own=own, delivery=counts)


def deliver_others() -> DeliveryCounts:
    """Send due messages of all domains, so that reports need no run of their own to send them."""
    return deliver_due(budget=OTHER_DOMAINS_BUDGET)


def prune() -> None:
    """Delete history older than its retention, in batches of some thousand rows."""
    days = settings().alert_history_retention_days
    with warehouse() as connection:
        prune_messages(connection, "alerts", timedelta(days=days))
        run_sql(connection, "alerts/prune", days=days)


def publish_states() -> None:
    """Publish the alert states as a Prefect artifact, the most urgent first."""
    states = shown_states()
    create_table_artifact(
        key="alert-states",
        table=states.rows,
        description=f"{states.total}, the most urgent first. The view ops.alert_status has all of them.",
    )
