"""What the owner of a report is notified of when it was not made.

Writes the run's row and enqueues one message, in one transaction. Safe to repeat: the ids of message and
email follow from the run. A report without owner has the default channels.
"""

from analytics_worker.delivery import Content, Message, Recipient, default_recipients
from analytics_worker.delivery.message import Fact
from analytics_worker.delivery.routing import owner_recipient
from analytics_worker.text import one_line, value_line
from flows.reports.output.files import about
from flows.reports.output.message import message_id
from flows.reports.output.recipients import identity, message_keys
from flows.reports.runs.store import Ledger, Run

MAX_ERROR = 2000


def give_up(book: Ledger, run: Run, error: str, *, final: bool = False) -> int:
    """Write down that a run failed; if `final`, no later flow run tries it by itself.

    Returns:
        How many are notified: 0 if there is neither an owner nor a default channel.
    """
    message = failure_message(run, error)
    book.give_up(run.id, error, message, final=final)
    return len(message.recipients)


def failure_message(run: Run, error: str) -> Message:
    """Compose the message to the owner."""
    name = f"failed\0{identity(run.name, run.period, run.key)}"
    recipients = _recipients(run)
    return Message(
        domain="reports",
        kind="report_failed",
        content=_content(run, error),
        recipients=recipients,
        owner=run.report.owner,
        keys=message_keys(name, recipients),
        reference=str(run.id),
        id=message_id("report_failed", run),
    )


def _recipients(run: Run) -> list[Recipient]:
    if run.report.owner:
        return [owner_recipient(run.report.owner)]
    return [each._replace(role="owner") for each in default_recipients()]


def _content(run: Run, error: str) -> Content:
    subject = one_line(f"Report failed: {run.report.heading} ({about(run)})")
    values = {
        "Report": value_line(run.report.name),
        "For": value_line(run.key),
        "Period": about(run),
        "Error": value_line(error, MAX_ERROR),
    }
    facts = {label: value for label, value in values.items() if value}
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
            "period": about(run),
            "error": values["Error"],
        },
        severity="warning",
        facts=tuple(Fact(label=label, value=value) for label, value in facts.items()),
    )


def _text(run: Run, facts: dict[str, str]) -> str:
    lines = [
        "Your report was not made, and nobody got it.",
        "",
        *(f"{label}: {value}" for label, value in facts.items()),
    ]
    if run.kind == "scheduled":
        again = f"analytics-worker reports run {run.report.name} --period {run.period}"
        lines += ["", "The next run of its schedule tries again; so does", again]
    return "\n".join(lines)
