"""Write the messages about an incident.

Names and messages of units are untrusted: each is one line here, and each channel escapes it for its
receiver. Reads the address of the UI; writes nothing.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Literal

from analytics_worker.definitions.durations import format_duration
from analytics_worker.delivery import Content
from analytics_worker.delivery.message import Fact, Link
from analytics_worker.lineage.graph import Node
from analytics_worker.settings import settings
from analytics_worker.text import counted, one_line, value_line
from flows.monitoring.incidents.causes import Problem
from flows.monitoring.incidents.problems import worst_of
from flows.monitoring.incidents.reach import NO_REACH, Reach, reach_json, reach_lines
from flows.monitoring.incidents.store import IncidentRecord, Thread
from flows.monitoring.notifications.text import run_url, utc_text

NoticeKind = Literal["opened", "grew", "severity_changed", "flapping", "still_open", "resolved"]
MINUTE = timedelta(minutes=1)
MAX_UNITS = 10
MAX_NAMES = 5
MAX_REACHED = 500
MAX_CAUSES = 3
"""Number of causes that a one-line text names."""
AFFECTED = {
    "relation": "relation",
    "dbt": "dbt node",
    "rule": "rule",
    "report": "report",
    "promise": "promise",
}


def incident_content(
    record: IncidentRecord,
    kind: NoticeKind,
    thread: Thread | None,
    new: Collection[Node] = (),
    reach: Reach = NO_REACH,
) -> Content:
    """Return the content of a message about an incident.

    Args:
        record: The incident.
        kind: What happened.
        thread: The first message to these recipients; None for that message itself.
        new: The units that are new since the last message.
        reach: Whom it reaches, as these recipients may see it.
    """
    cause = cause_of(record)
    title = one_line(thread.title if thread else title_of(record))
    subject = one_line(f"{_prefix(record, kind, len(new))} {title}")
    url = run_url(cause.run_id) if cause and cause.run_id else ""
    lines = _resolved(record) if kind == "resolved" else _open(record, kind, cause, set(new), reach)
    text = "\n".join([subject, "", *lines, *(["", url] if url else [])]) + "\n"
    return Content(
        subject=subject,
        headline=title,
        text=text,
        json={**_json(record, kind, cause), **reach_json(reach), "run_url": url, "text": text},
        severity="ok" if kind == "resolved" else _severity(record),
        incident_action="resolve" if kind == "resolved" else "trigger",
        incident_key=thread.key if thread else f"incident:{record.incident.id}",
        facts=_facts(record, cause, reach),
        items=tuple(_unit_lines(record, set(new))),
        links=(Link(label="Open the run", url=url),) if url else (),
    )


def title_of(record: IncidentRecord) -> str:
    """Return what the incident is called: its cause."""
    cause = cause_of(record)
    return (
        value_line(cause.label or cause.unit.name)
        if cause
        else value_line(record.incident.cause.name)
    )


def cause_of(record: IncidentRecord) -> Problem | None:
    """Return the problem of the cause; None if it is not known any more."""
    problems = record.problems.get(record.incident.cause)
    return worst_of(problems) if problems else None


def _severity(record: IncidentRecord) -> Literal["critical", "warning"]:
    return "critical" if record.incident.severity.name == "CRITICAL" else "warning"


def _prefix(record: IncidentRecord, kind: NoticeKind, new: int) -> str:
    severity = _severity(record)
    return {
        "opened": f"[{severity}]",
        "grew": f"[{severity}, {new} more]",
        "severity_changed": f"[now {severity}]",
        "flapping": f"[{severity}, flapping]",
        "still_open": f"[still {severity}]",
        "resolved": "[resolved]",
    }[kind]


def _open(
    record: IncidentRecord, kind: NoticeKind, cause: Problem | None, new: set[Node], reach: Reach
) -> list[str]:
    since = cause.since if cause else record.incident.opened_at
    lines = [f"Since {_time(since)}: {value_line(cause.message) if cause else ''}".rstrip(": ")]
    if record.flapping_since:
        lines += [_flapping(record)]
    if len(record.incident.units) > 1:
        lines += ["", "Fails for this cause:", *_unit_lines(record, new)]
    if record.affected:
        lines += ["", f"Affected: {affected_text(record.affected)}"]
    if reached := reach_lines(reach):
        lines += ["", "Reaches:", *reached]
    lines += ["", f"Owner: {value_line(_owner(record) or 'none')}"]
    if kind == "opened":
        lines += [
            "You will be notified when it grows, becomes more severe, or ends.",
            f"To acknowledge it: analytics-worker incidents ack {short_id(record)}",
        ]
    return lines


def _resolved(record: IncidentRecord) -> list[str]:
    start = record.incident.opened_at
    lasted = max(round(((record.resolved_at or start) - start) / MINUTE), 1) * MINUTE
    units = counted(len(record.incident.seen), "unit")
    openings = f", opened {record.openings} times" if record.openings > 1 else ""
    over = f"Over after {format_duration(lasted)}, since {_time(start)}"
    return [f"{over}: {units} had failed{openings}."]


def _flapping(record: IncidentRecord) -> str:
    minutes = settings().incident_calm_minutes
    start = _time(record.incident.opened_at)
    return (
        f"Flapping: opened {record.openings} times since {start}. You will be notified when it has worked, or failed,"
        f" for {minutes} min."
    )


def _unit_lines(record: IncidentRecord, new: set[Node]) -> list[str]:
    units = sorted(record.incident.units - {record.incident.cause}, key=lambda n: (n not in new, n))
    lines = [f"- {_unit_text(record, unit)}{' (new)' if unit in new else ''}" for unit in units]
    more = len(lines) - MAX_UNITS
    return [*lines[:MAX_UNITS], *([f"- and {more} more"] if more > 0 else [])]


def _unit_text(record: IncidentRecord, unit: Node) -> str:
    problems = record.problems.get(unit)
    if not problems:
        return value_line(unit.name)
    problem = worst_of(problems)
    return one_line(f"{value_line(problem.label or unit.name)}: {value_line(problem.message)}")


def affected_text(affected: Sequence[Node]) -> str:
    """Return how many units of each kind are affected, and the first names."""
    counts = Counter(node.kind for node in affected)
    parts = [counted(counts[kind], text) for kind, text in AFFECTED.items() if counts[kind]]
    order = ["report", "promise", "rule", "relation", "dbt"]
    shown = sorted((n for n in affected if n.kind in order), key=lambda n: (order.index(n.kind), n))
    names = ", ".join(value_line(node.name) for node in shown[:MAX_NAMES])
    return one_line(f"{', '.join(parts)} ({names}{', …' if len(shown) > MAX_NAMES else ''})", 500)


def _facts(record: IncidentRecord, cause: Problem | None, reach: Reach) -> tuple[Fact, ...]:
    reached = "; ".join(each.removeprefix("- ") for each in reach_lines(reach))
    values = {
        "Severity": _severity(record),
        "Since": _time(cause.since if cause else record.incident.opened_at),
        "Message": value_line(cause.message) if cause else "",
        "Affected": affected_text(record.affected) if record.affected else "",
        "Reaches": one_line(reached, MAX_REACHED),
        "Owner": value_line(_owner(record) or ""),
    }
    return tuple(Fact(label=label, value=value) for label, value in values.items() if value)


def _json(record: IncidentRecord, kind: NoticeKind, cause: Problem | None) -> dict[str, object]:
    node = record.incident.cause
    units = sorted(record.incident.units)
    return {
        "event": f"incident_{kind}",
        "incident": str(record.incident.id),
        "severity": _severity(record),
        "cause": {"kind": node.kind, "name": value_line(node.name)},
        "message": value_line(cause.message) if cause else "",
        "since": (cause.since if cause else record.incident.opened_at).isoformat(),
        "owner": value_line(_owner(record) or "") or None,
        "units": [{"kind": each.kind, "name": value_line(each.name)} for each in units],
        "affected": [
            {"kind": each.kind, "name": value_line(each.name)} for each in record.affected
        ],
        "run_id": cause.run_id if cause else None,
        "openings": record.openings,
    }


def _owner(record: IncidentRecord) -> str | None:
    return record.assigned_to or record.owner


def no_recipient_text(causes: Sequence[str]) -> str:
    """Return that no recipients were notified of these incidents, and why."""
    more = f" and {len(causes) - MAX_CAUSES} more" if len(causes) > MAX_CAUSES else ""
    names = one_line(", ".join(causes[:MAX_CAUSES])) + more
    return f"no recipients were notified that {names} failed: no channel is configured"


def short_id(record: IncidentRecord) -> str:
    """Return the first characters of the id, which commands accept."""
    return str(record.incident.id)[:8]


def _time(instant: datetime) -> str:
    return utc_text(instant.isoformat())
