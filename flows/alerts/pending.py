"""Evaluate the rules of definitions/alerts.yml, and tell those whom they concern.

Reads the rules and whatever their SQL reads; writes states, history and the outbox, and sends what the
outbox holds, in the end also for the other domains. Repeating is safe: a rule is evaluated once per period, a notice is sent once.
"""

from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.retries import ALERTS, HISTORY
from analytics_worker.prefect_support.task import task
from flows.alerts.evaluation.results import Evaluated, Processing, processing
from flows.alerts.tasks import deliver, deliver_others, evaluate, prune, show_states

deliver_notices = task(**ALERTS, name="deliver notices")(deliver)
deliver_other_messages = task(**ALERTS, name="deliver other messages")(deliver_others)
prune_history = task(**HISTORY, name="prune alert history")(prune)


@task(**ALERTS, name="evaluate alert rules")
def evaluate_alerts() -> Evaluated:
    """Evaluate the alert rules that are due, and those that came with an event and still fire."""
    return evaluate(["alert", "event"])


@flow(timeout_seconds=240)
def process_pending_alerts() -> Processing:
    """Evaluate the alert rules that are due; send all messages that wait, whichever run left them.

    A rule that can't be evaluated fails alone: the run ends as Partial, and its owner is notified.
    """
    evaluated = evaluate_alerts()
    sending = deliver_notices(evaluated["messages"])
    prune_history()
    show_states()
    return processing(evaluated["summary"], sending, deliver_other_messages())
