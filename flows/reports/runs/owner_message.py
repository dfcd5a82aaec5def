"""Compose the messages about a report run to the owner of the report.

Reads settings; writes nothing. Without an owner, the default channels are notified.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from analytics_worker.delivery import Content, Message, Recipient, default_recipients
from analytics_worker.delivery.message import Fact
from analytics_worker.delivery.routing import owner_recipients
from analytics_worker.text import value_line
from flows.reports.output.recipients import message_keys
from flows.reports.runs.model import ReportRun, period_label


class OwnerNotice(NamedTuple):
    """What an owner is notified of."""

    kind: str
    id: UUID
    identity: str
    """What identifies it, of which the ids of its emails are made."""
    subject: str
    facts: Mapping[str, str]
    """Values that follow report, key and period."""
    intro: str
    outro: Sequence[str]
    json: Mapping[str, Any]


def owner_message(run: ReportRun, notice: OwnerNotice) -> Message:
    """Compose the message."""
    recipients = owners_of(run)
    return Message(
        domain="reports",
        kind=notice.kind,
        content=_content(run, notice, _owner_note(run.report.owner, recipients)),
        recipients=recipients,
        owner=run.report.owner,
        keys=message_keys(notice.identity, recipients),
        reference=str(run.id),
        id=notice.id,
    )


def owners_of(run: ReportRun) -> list[Recipient]:
    """Return the owner of a report, or the default channels."""
    if run.report.owner:
        return owner_recipients(run.report.owner)
    return [each._replace(role="owner") for each in default_recipients()]


def _owner_note(owner: str | None, recipients: Sequence[Recipient]) -> str:
    """Return a note if others are notified in place of the owner."""
    if owner is None or owner in {each.address for each in recipients}:
        return ""
    return f"{value_line(owner)} was not emailed: no mail server is set (ALERT_EMAIL_HOST)"


def _content(run: ReportRun, notice: OwnerNotice, owner: str) -> Content:
    values = {
        "Report": value_line(run.report.name),
        "For": value_line(run.key),
        "Period": period_label(run),
        **notice.facts,
        "Owner": owner,
    }
    facts = {name: value for name, value in values.items() if value}
    return Content(
        subject=notice.subject,
        headline=notice.subject,
        text=_text(notice, facts),
        json={
            "event": notice.kind,
            "subject": notice.subject,
            "run": run.id,
            "report": run.report.name,
            "title": run.report.heading,
            "key": run.key,
            "period": period_label(run),
            **notice.json,
        },
        severity="warning",
        facts=tuple(Fact(label=name, value=value) for name, value in facts.items()),
    )


def _text(notice: OwnerNotice, facts: Mapping[str, str]) -> str:
    lines = [notice.intro, "", *(f"{name}: {value}" for name, value in facts.items())]
    return "\n".join([*lines, "", *notice.outro] if notice.outro else lines)
