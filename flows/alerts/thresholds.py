"""Evaluate the metrics of definitions/thresholds.yml against their warning and critical thresholds.

Reads the rules and whatever their SQL reads; writes states, history and the outbox, and sends what the
outbox holds. Repeating is safe: a rule is evaluated once per period, a notice is sent once.
"""

from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.retries import THRESHOLDS
from analytics_worker.prefect_support.task import task
from flows.alerts.evaluation.results import Evaluated, Processing, processing
from flows.alerts.tasks import deliver, evaluate, show_states

deliver_notices = task(**THRESHOLDS, name="deliver notices")(deliver)


@task(**THRESHOLDS, name="evaluate thresholds")
def evaluate_thresholds() -> Evaluated:
    """Evaluate the threshold rules that are due."""
    return evaluate(["threshold"])


@flow(timeout_seconds=240)
def check_threshold_conditions() -> Processing:
    """Check all metrics that have thresholds, and send notices of those that crossed one.

    A rule that can't be evaluated fails alone: the run ends as Partial, and its owner is notified.
    """
    evaluated = evaluate_thresholds()
    sending = deliver_notices(evaluated["messages"])
    show_states()
    return processing(evaluated["summary"], sending)
