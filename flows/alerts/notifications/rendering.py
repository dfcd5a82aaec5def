"""What a notice says: subject, text, HTML and JSON, the same for all its recipients.

Reads the templates beside it; writes nothing. A rule's own template that fails costs the standard
message one sentence, never the notice. Texts are cut to LONGEST_TEXT, visibly, so that no value fails
the standard message.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, TypedDict

from analytics_worker.definitions.durations import format_duration
from analytics_worker.text import one_line, printable, value_line
from analytics_worker.user_templates.rendering import (
    UserTemplateError,
    number_text,
    render,
    render_own,
    shortened,
)
from flows.alerts.evaluation.samples import NO_KEY, exact_label, label
from flows.alerts.evaluation.state_machine import AlertState
from flows.alerts.notifications.model import EventKind, Notice, worst_first
from flows.alerts.notifications.subject import subject
from flows.alerts.rules.model import Bound, Rule, Template

WORST = 10
MAX_ERROR = 2000
LONGEST_TEXT = 4000
Ranked = Sequence[tuple[str, AlertState]]

_HEADLINES: dict[EventKind, str] = {
    "firing": "The alert is firing",
    "still_firing": "The alert is still firing",
    "resolved": "The alert is over",
    "no_data": "The alert was firing and has no data any more",
    "flapping": "The alert is flapping: no more notices until it settles",
    "error": "The rule can't be evaluated",
    "error_resolved": "The rule can be evaluated again",
}
_TRY = "`analytics-worker alerts test` with the rule's name shows the error."
_HINTS: dict[EventKind, str] = {
    "error": f"You get this as the rule's owner; its readers were not told. {_TRY}",
    "no_data": "It is reported as over as soon as data says so.",
}
_COLORS = {
    "critical": "#c81e1e",
    "warning": "#b45309",
    "resolved": "#15803d",
    "error_resolved": "#15803d",
}


class Message(TypedDict):
    """The payload of a delivery."""

    subject: str
    text: str
    html: str
    json: dict[str, Any]


def message(rule: Rule, notice: Notice, now: datetime, uid: str, *, html: bool = True) -> Message:
    """Render a notice with the rule's own template, or with the standard one; HTML on demand."""
    worst = worst_first(rule, notice.states)[:WORST]
    context = _context(rule, notice, worst, now)
    try:
        rendered = _rendered(rule, context, html=html)
    except UserTemplateError as error:
        context["hint"] = value_line(f"The rule's own template failed: {error}")
        rendered = _rendered(rule.model_copy(update={"template": Template()}), context, html=html)
    title, text, page = rendered
    facts = _json(rule, notice, worst, now) | {"event_id": uid, "hint": context["hint"]}
    return Message(subject=title, text=text, html=page, json=facts)


def _rendered(rule: Rule, context: Mapping[str, Any], *, html: bool) -> tuple[str, str, str]:
    own = rule.template
    title = render(own.subject, context, html=False) if own.subject else subject(context)
    title = one_line(title)
    text = printable(_part(own.text, "text.txt", context, html=False))
    if not html:
        return title, text, ""
    full = {**context, "subject": title}
    return title, text, _part(own.html, "body.html", full, html=True)


def _part(own: str | None, standard: str, context: Mapping[str, Any], *, html: bool) -> str:
    if own:
        return render(own, context, html=html)
    return render_own(_standard(standard), context, html=html)


@lru_cache
def _standard(name: str) -> str:
    return (Path(__file__).parent / "templates" / f"{name}.jinja").read_text()


def _context(rule: Rule, notice: Notice, worst: Ranked, now: datetime) -> dict[str, Any]:
    """Plain values only: this is all that a template sees."""
    since, kind = _began(notice), notice.kind
    context = {
        "kind": kind,
        "label": _label(notice),
        "headline": _HEADLINES[kind],
        "severity": notice.severity,
        "rule": {
            "name": value_line(rule.name),
            "description": printable(rule.description or "") or None,
            "owner": value_line(rule.owner or "") or None,
        },
        "condition": value_line(_condition(rule, notice.severity)),
        "unit": " %" if rule.measure == "change_percent" else "",
        "group": label(notice.group),
        "count": len(notice.states),
        "more": len(notice.states) - len(worst),
        "worst": [_item(key, state, now) for key, state in worst],
        "since": _instant(since),
        "duration": _duration(since, now),
        "error": value_line(notice.health.error or "", MAX_ERROR) or None,
        "hint": _hint(rule, kind),
        "color": _COLORS.get(kind, _COLORS.get(notice.severity or "", "#475569")),
        "at": _instant(now),
    }
    return shortened(context, LONGEST_TEXT)


def _began(notice: Notice) -> datetime | None:
    """When what a notice is about began."""
    firing = filter(None, (state.firing_since for state in notice.states.values()))
    return min(firing, default=None) or notice.health.since


def _hint(rule: Rule, kind: EventKind) -> str | None:
    if kind == "error" and not rule.owner:
        return f"The rule has no owner, so its readers get this. {_TRY}"
    return _HINTS.get(kind)


def _label(notice: Notice) -> str:
    severity = notice.severity or "alert"
    spoken = {"firing": severity, "still_firing": f"still {severity}"}
    return spoken.get(notice.kind, notice.kind.replace("_", " ")).upper()


def _item(key: str, state: AlertState, now: datetime) -> dict[str, Any]:
    return {
        "key": label(key),
        "severity": state.severity,
        "value": state.value,
        "worst": state.worst,
        "since": _instant(state.firing_since),
        "duration": _duration(state.firing_since, now),
    }


def _condition(rule: Rule, severity: str | None) -> str:
    """``value > 10``, in the words of the rule."""
    bound: Bound | None = next(
        (b for s, b in rule.bounds.items() if s == severity), next(iter(rule.bounds.values()), None)
    )
    if bound is None:
        return ""
    shown = " and ".join(map(number_text, bound)) if isinstance(bound, list) else number_text(bound)
    unit = " %" if rule.measure == "change_percent" else ""
    what = {"rows": "rows", "change": "change", "change_percent": "change"}
    return f"{what.get(rule.measure, rule.value or 'value')} {rule.operator} {shown}{unit}"


def _instant(at: datetime | None) -> str | None:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if at else None


def _duration(since: datetime | None, now: datetime) -> str | None:
    """How long it has been so; nothing for what has just begun."""
    if since is None or now <= since:
        return None
    return format_duration(now - since)


def _json(rule: Rule, notice: Notice, worst: Ranked, now: datetime) -> dict[str, Any]:
    """What machines get (docs/alerts.md): instants in ISO 8601, infinity as text."""
    since = _began(notice)
    items = [_fact(key, state) for key, state in worst]
    return {
        "kind": notice.kind,
        "rule": rule.name,
        "description": rule.description,
        "owner": rule.owner,
        "severity": notice.severity,
        "group": exact_label(notice.group),
        "headline": _HEADLINES[notice.kind],
        "condition": _condition(rule, notice.severity),
        "value": items[0]["value"] if len(notice.states) == 1 else None,
        "count": len(notice.states),
        "worst": items,
        "more": len(notice.states) - len(worst),
        "at": _iso(now),
        "since": _iso(since),
        "duration": _duration(since, now),
        "duration_seconds": int((now - since).total_seconds()) if since else None,
        "error": notice.health.error,
    }


def _fact(key: str, state: AlertState) -> dict[str, Any]:
    return {
        "key": exact_label(key),
        "severity": state.severity,
        "value": _finite(state.value),
        "worst": _finite(state.worst),
        "since": _iso(state.firing_since),
    }


def _iso(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat(timespec="seconds") if at else None


def _finite(value: float | None) -> float | str | None:
    """Infinity as text, which JSON has no number for."""
    return str(value) if value is not None and math.isinf(value) else value


def sample_context(rule: Rule) -> dict[str, Any]:
    """A context to try a rule's template with before there is an alert."""
    now = datetime.now(UTC)
    state = AlertState(
        now, "firing", rule.highest, 1.0, 1.0, 1.0, firing_since=now, told=rule.highest
    )
    notice = Notice("firing", states={NO_KEY: state})
    return {**_context(rule, notice, [(NO_KEY, state)], now), "subject": "subject"}
