"""Mark report runs failed and notify their owners.

Writes the run's row and enqueues one message, in one transaction. Safe to repeat: the ids of the message
and of its emails are derived from the run. Without an owner, the default channels are notified.
"""

import shlex

from analytics_worker.delivery import Message
from analytics_worker.text import one_line, value_line
from flows.reports.output.message import message_id
from flows.reports.output.recipients import identity
from flows.reports.runs.model import ReportRun, period_label
from flows.reports.runs.owner_message import OwnerNotice, owner_message
from flows.reports.runs.store import RunStore

MAX_ERROR_LENGTH = 2000
NOT_NOTIFIED = "No notification was sent: it has no owner, and there is no default channel."


def fail_run(store: RunStore, run: ReportRun, error: str, *, final: bool = False) -> int:
    """Mark a run failed; if `final`, no later flow run requeues it.

    Returns:
        Number of recipients notified: 0 if there is neither an owner nor a default channel.
    """
    message = failure_message(run, error, final=final)
    store.mark_failed(run.id, error, message, final=final)
    return len(message.recipients)


def failure_message(run: ReportRun, error: str, *, final: bool = False) -> Message:
    """Compose the message to the owner."""
    text = value_line(error, MAX_ERROR_LENGTH)
    return owner_message(
        run,
        OwnerNotice(
            kind="report_failed",
            id=message_id("report_failed", run),
            identity=f"failed\0{identity(run.name, run.period, run.key)}",
            subject=one_line(f"Report failed: {run.report.heading} ({period_label(run)})"),
            facts={"Error": text},
            intro="Your report could not be generated and was not sent.",
            outro=_retry(run, final=final),
            json={"error": text},
        ),
    )


def _retry(run: ReportRun, *, final: bool) -> list[str]:
    if run.kind != "scheduled":
        return []
    command = f"analytics-worker reports run {shlex.quote(run.report.name)} --period {run.period}"
    retry = "It is not retried." if final else "The next scheduled run will retry it."
    return [f"{retry} To retry it now, run", command]
