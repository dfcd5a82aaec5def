"""Render the messages about deployments that start to fail or recover, and about the database.

Every text of a run is untrusted: it is one line here, and each channel escapes it for its receiver.
Reads the address of the UI; writes nothing.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal

from prefect.settings import get_current_settings

from analytics_worker.delivery import Content
from analytics_worker.delivery.message import Fact, Link
from analytics_worker.text import one_line, value_line

DATABASE = "the analytics database"
DATABASE_KEY = "analytics-database"
PARTIAL = "Partial"

Kind = Literal["failing", "recovered"]


def deployment_content(deployment: str, kind: Kind, details: Mapping[str, Any]) -> Content:
    """Return the content of a message that a deployment started to fail or recovered.

    Args:
        deployment: Full name, ``flow/deployment``.
        kind: Whether it started to fail or recovered.
        details: ``state``, ``message``, ``run_id``, ``ended_at``, ``since`` and ``failures``.
    """
    name, lines = value_line(deployment), _as_lines(details)
    url = _run_url(lines["run_id"])
    compose = _failing if kind == "failing" else _recovered
    content = compose(name, lines)
    text = f"{content.subject}\n\n{content.text}\n\n{url}".strip() + "\n"
    event = {"event": f"deployment_{kind}", "deployment": name}
    return content.model_copy(
        update={
            "text": text,
            "json_body": {**event, **lines, "run_url": url, "text": text},
            "incident_action": "trigger" if kind == "failing" else "resolve",
            "incident_key": f"deployment:{name}",
            "links": (Link(label="Open the run", url=url),) if url else (),
        }
    )


def _as_lines(details: Mapping[str, Any]) -> dict[str, Any]:
    """Return the details with each text in one line: states and their messages are untrusted."""
    return {k: value_line(v) if isinstance(v, str) else v for k, v in details.items()}


def _failing(name: str, details: Mapping[str, Any]) -> Content:
    ended, state = _time(details["ended_at"]), details["state"]
    headline = one_line(f"{name}: {state}")
    lines = [
        f"The run that ended {ended} is {state}:",
        f"  {details['message']}",
        "",
        "You will be notified when it recovers, not of every failure.",
    ]
    return Content(
        subject=one_line(f"[failing] {headline}"),
        headline=headline,
        text="\n".join(lines),
        severity="warning" if state == PARTIAL else "critical",
        facts=_facts(
            ("State", state),
            ("Run ended", ended),
            ("Failing since", _time(details["since"]) if details["failures"] > 1 else ""),
            ("Message", details["message"]),
        ),
    )


def _recovered(name: str, details: Mapping[str, Any]) -> Content:
    since, failures = _time(details["since"]), details["failures"]
    runs = "1 run" if failures == 1 else f"{failures} runs in a row"
    headline = one_line(f"{name} has recovered")
    return Content(
        subject=one_line(f"[recovered] {headline}"),
        headline=headline,
        text=f"{runs} had failed since {since}. Now: {details['message']}",
        severity="ok",
        facts=_facts(
            ("Failed runs", str(failures)),
            ("Failing since", since),
            ("Message", details["message"]),
        ),
    )


def _facts(*facts: tuple[str, str]) -> tuple[Fact, ...]:
    return tuple(Fact(label=label, value=value) for label, value in facts if value)


def _time(instant: str) -> str:
    return f"{instant[:16].replace('T', ' ')} UTC"


def _run_url(run_id: str) -> str:
    """Return the address of the run in the UI; empty without a UI."""
    ui = get_current_settings().ui_url
    return f"{ui}/runs/flow-run/{run_id}" if ui else ""


def database_outage_content(since: str, reason: str) -> Content:
    """Return the content of the message that the database is unavailable."""
    reason_line = value_line(reason)
    lines = [
        f"It has not answered since {_time(since)}:",
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
        facts=_facts(("No answer since", _time(since)), ("Reason", reason_line)),
    )
    return _database_content("database_away", content, since=since, message=reason_line)


def database_recovery_content(since: str, duration: timedelta) -> Content:
    """Return the content of the message that the database is available again."""
    minutes = max(round(duration.total_seconds() / 60), 1)
    content = Content(
        subject=f"[recovered] {DATABASE} is available again",
        headline=f"{DATABASE} is available again",
        text=f"It was unavailable for {minutes} min, since {_time(since)}.",
        severity="ok",
        incident_action="resolve",
        facts=_facts(("Unavailable since", _time(since)), ("Minutes", str(minutes))),
    )
    return _database_content("database_back", content, since=since, minutes=minutes)


def _database_content(event: str, content: Content, **details: Any) -> Content:
    text = f"{content.subject}\n\n{content.text}\n"
    body = {"event": event, **details, "text": text}
    changes = {"text": text, "json_body": body, "incident_key": DATABASE_KEY}
    return content.model_copy(update=changes)
