"""Evaluate the metrics of definitions/thresholds.yml against their warning and critical thresholds.

Reads the rules and whatever their SQL reads; writes states, history and the outbox, and sends what the
outbox holds. Repeating is safe: a rule is evaluated once per period, a notice is sent once.
"""

from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.results import outcome
from analytics_worker.prefect_support.retries import THRESHOLDS
from analytics_worker.prefect_support.task import task
from flows.alerts.tasks import Processing, deliver, evaluate, sentence, show_states, status

deliver_notices = task(**THRESHOLDS, name="deliver notices")(deliver)


@task(**THRESHOLDS, name="evaluate thresholds")
def evaluate_thresholds() -> dict[str, int]:
    """Evaluate the threshold rules that are due."""
    return evaluate(["threshold"])


@flow(timeout_seconds=240)
def check_threshold_conditions() -> Processing:
    """Check all metrics that have thresholds, and send notices of those that crossed one.

    A rule that can't be evaluated fails alone: the run ends as Partial, and its owner is told.
    """
    summary = evaluate_thresholds()
    delivery = deliver_notices()
    show_states()
    common = outcome(status(summary, delivery), sentence(summary, delivery))
    return Processing(**common, summary=summary, delivery=delivery)
