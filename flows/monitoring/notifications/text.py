"""Render the messages about the database, and what messages about runs share.

The reason of an outage is untrusted: it is one line here, and each channel escapes it for its receiver.
Reads the address of the UI; writes nothing.
"""

from datetime import timedelta
from typing import Any

from prefect.settings import get_current_settings

from analytics_worker.delivery import Content
from analytics_worker.delivery.message import Fact
from analytics_worker.text import value_line

DATABASE = "the analytics database"
DATABASE_KEY = "analytics-database"
PARTIAL = "Partial"


def _facts(*facts: tuple[str, str]) -> tuple[Fact, ...]:
    return tuple(Fact(label=label, value=value) for label, value in facts if value)


def utc_text(instant: str) -> str:
    """Return an instant in ISO format for readers."""
    return f"{instant[:16].replace('T', ' ')} UTC"


def run_url(run_id: str) -> str:
    """Return the address of the run in the UI; empty without a UI."""
    ui = get_current_settings().ui_url
    return f"{ui}/runs/flow-run/{run_id}" if ui else ""


def database_outage_content(since: str, reason: str) -> Content:
    """Return the content of the message that the database is unavailable."""
    reason_line = value_line(reason)
    lines = [
        f"It has not answered since {utc_text(since)}:",
        f"  {reason_line}",
        "",
        "Alerts, reports and dbt fail until it recovers, then continue without intervention. Notifications",
        "for individual deployments are suspended until then. `analytics-worker doctor` shows more.",
    ]
    content = Content(
        subject=f"[failing] {DATABASE} is unavailable",
        headline=f"{DATABASE} is unavailable",
        text="\n".join(lines),
        severity="critical",
        incident_action="trigger",
        facts=_facts(("No answer since", utc_text(since)), ("Reason", reason_line)),
    )
    return _database_content("database_away", content, since=since, message=reason_line)


def database_recovery_content(since: str, duration: timedelta) -> Content:
    """Return the content of the message that the database is available again."""
    minutes = max(round(duration.total_seconds() / 60), 1)
    content = Content(
        subject=f"[recovered] {DATABASE} is available again",
        headline=f"{DATABASE} is available again",
        text=f"It was unavailable for {minutes} min, since {utc_text(since)}.",
        severity="ok",
        incident_action="resolve",
        facts=_facts(("Unavailable since", utc_text(since)), ("Minutes", str(minutes))),
    )
    return _database_content("database_back", content, since=since, minutes=minutes)


def _database_content(event: str, content: Content, **details: Any) -> Content:
    text = f"{content.subject}\n\n{content.text}\n"
    body = {"event": event, **details, "text": text}
    changes = {"text": text, "json_body": body, "incident_key": DATABASE_KEY}
    return content.model_copy(update=changes)
