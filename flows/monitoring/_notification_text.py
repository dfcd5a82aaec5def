"""Compose the messages about deployments that begin to fail or recover, and about the database.

Every text of a run is data: it stays one line here, and each channel escapes it for its receiver.
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


def of_deployment(deployment: str, kind: Kind, details: Mapping[str, Any]) -> Content:
    """Return the message that a deployment began to fail, or works again.

    Args:
        deployment: Full name, ``flow/deployment``.
        kind: Which of both.
        details: ``state``, ``message``, ``run_id``, ``ended_at``, ``since`` and ``failures``.
    """
    name, shown = value_line(deployment), _shown(details)
    url = _run_url(shown["run_id"])
    compose = _failing if kind == "failing" else _recovered
    content = compose(name, shown)
    text = f"{content.subject}\n\n{content.text}\n\n{url}".strip() + "\n"
    event = {"event": f"deployment_{kind}", "deployment": name}
    return content.model_copy(
        update={
            "text": text,
            "json_body": {**event, **shown, "run_url": url, "text": text},
            "incident_action": "trigger" if kind == "failing" else "resolve",
            "incident_key": f"deployment:{name}",
            "links": (Link(label="Open the run", url=url),) if url else (),
        }
    )


def _shown(details: Mapping[str, Any]) -> dict[str, Any]:
    """Return the details with each text in one line: states and their messages may hold anything."""
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
    headline = one_line(f"{name} works again")
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
    """Return where the UI shows the run; empty without a UI."""
    ui = get_current_settings().ui_url
    return f"{ui}/runs/flow-run/{run_id}" if ui else ""


def of_database_away(since: str, reason: str) -> Content:
    """Return the message that the database does not answer."""
    shown = value_line(reason)
    lines = [
        f"It has not answered since {_time(since)}:",
        f"  {shown}",
        "",
        "Alerts, reports and dbt fail until it does, and go on without intervention then. Notifications",
        "of single deployments are suspended until it recovers. `analytics-worker doctor` shows more.",
    ]
    content = Content(
        subject=f"[failing] {DATABASE} is away",
        headline=f"{DATABASE} is away",
        text="\n".join(lines),
        severity="critical",
        incident_action="trigger",
        facts=_facts(("No answer since", _time(since)), ("Reason", shown)),
    )
    return _of_database("database_away", content, since=since, message=shown)


def of_database_back(since: str, away: timedelta) -> Content:
    """Return the message that the database answers again."""
    minutes = max(round(away.total_seconds() / 60), 1)
    content = Content(
        subject=f"[recovered] {DATABASE} is back",
        headline=f"{DATABASE} is back",
        text=f"It had been away for {minutes} min, since {_time(since)}.",
        severity="ok",
        incident_action="resolve",
        facts=_facts(("Unavailable since", _time(since)), ("Minutes", str(minutes))),
    )
    return _of_database("database_back", content, since=since, minutes=minutes)


def _of_database(event: str, content: Content, **details: Any) -> Content:
    text = f"{content.subject}\n\n{content.text}\n"
    body = {"event": event, **details, "text": text}
    changes = {"text": text, "json_body": body, "incident_key": DATABASE_KEY}
    return content.model_copy(update=changes)
