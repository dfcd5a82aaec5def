"""Mark report runs failed and notify their owners.

Writes the run's row and enqueues one message, in one transaction. Safe to repeat: the ids of the message
and of its emails are derived from the run. Without an owner, the default channels are notified.
"""

import shlex
from collections.abc import Sequence

from analytics_worker.delivery import Content, Message, Recipient, default_recipients
from analytics_worker.delivery.message import Fact
from analytics_worker.delivery.routing import owner_recipients
from analytics_worker.text import one_line, value_line
from flows.reports.output.message import message_id
from flows.reports.output.recipients import identity, message_keys
from flows.reports.runs.model import ReportRun, period_label
from flows.reports.runs.store import RunStore

MAX_ERROR_LENGTH = 2000


def fail_run(store: RunStore, run: ReportRun, error: str, *, final: bool = False) -> int:
    """Mark a run failed; if `final`, no later flow run requeues it.

    Returns:
        Number of recipients notified: 0 if there is neither an owner nor a default channel.
    """
    message = failure_message(run, error)
    store.mark_failed(run.id, error, message, final=final)
    return len(message.recipients)


def failure_message(run: ReportRun, error: str) -> Message:
    """Compose the message to the owner."""
    name = f"failed\0{identity(run.name, run.period, run.key)}"
    recipients = _recipients(run)
    return Message(
        domain="reports",
        kind="report_failed",
        content=_content(run, error, _owner_note(run.report.owner, recipients)),
        recipients=recipients,
        owner=run.report.owner,
        keys=message_keys(name, recipients),
        reference=str(run.id),
        id=message_id("report_failed", run),
    )


def _recipients(run: ReportRun) -> list[Recipient]:
    if run.report.owner:
        return owner_recipients(run.report.owner)
    return [each._replace(role="owner") for each in default_recipients()]


def _owner_note(owner: str | None, recipients: Sequence[Recipient]) -> str:
    """Return a note if others are notified in place of the owner."""
    if owner is None or owner in {each.address for each in recipients}:
        return ""
    return f"{value_line(owner)} was not emailed: no mail server is set (ALERT_EMAIL_HOST)"


def _content(run: ReportRun, error: str, owner: str) -> Content:
    label = period_label(run)
    subject = one_line(f"Report failed: {run.report.heading} ({label})")
    values = {
        "Report": value_line(run.report.name),
        "For": value_line(run.key),
        "Period": label,
        "Error": value_line(error, MAX_ERROR_LENGTH),
        "Owner": owner,
    }
    facts = {name: value for name, value in values.items() if value}
    return Content(
        subject=subject,
        headline=subject,
        text=_text(run, facts),
        json={
            "event": "report_failed",
            "subject": subject,
            "run": run.id,
            "report": run.report.name,
            "title": run.report.heading,
            "key": run.key,
            "period": label,
            "error": values["Error"],
        },
        severity="warning",
        facts=tuple(Fact(label=name, value=value) for name, value in facts.items()),
    )


def _text(run: ReportRun, facts: dict[str, str]) -> str:
    lines = [
        "Your report could not be generated and was not sent.",
        "",
        *(f"{name}: {value}" for name, value in facts.items()),
    ]
    if run.kind == "scheduled":
        command = (
            f"analytics-worker reports run {shlex.quote(run.report.name)} --period {run.period}"
        )
        lines += ["", "The next scheduled run will retry it. To retry it now, run", command]
    return "\n".join(lines)
