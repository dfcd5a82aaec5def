"""Evaluate the rules of definitions/alerts.yml, and tell those whom they concern.

Reads the rules and whatever their SQL reads; writes states, history and the outbox, and sends what the
outbox holds. Repeating is safe: a rule is evaluated once per period, a notice is sent once.
"""

from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.results import outcome
from analytics_worker.prefect_support.retries import ALERTS, HISTORY
from analytics_worker.prefect_support.task import task
from flows.alerts.tasks import Processing, deliver, evaluate, prune, sentence, show_states, status

deliver_notices = task(**ALERTS, name="deliver notices")(deliver)
prune_history = task(**HISTORY, name="prune alert history")(prune)


@task(**ALERTS, name="evaluate alert rules")
def evaluate_alerts() -> dict[str, int]:
    """Evaluate the alert rules that are due, and those that came with an event and still fire."""
    return evaluate(["alert", "event"])


@flow(timeout_seconds=240)
def process_pending_alerts() -> Processing:
    """Evaluate the alert rules that are due and send notices, also those that earlier runs left.

    A rule that can't be evaluated fails alone: the run ends as Partial, and its owner is told.
    """
    summary = evaluate_alerts()
    delivery = deliver_notices()
    prune_history()
    show_states()
    common = outcome(status(summary, delivery), sentence(summary, delivery))
    return Processing(**common, summary=summary, delivery=delivery)
