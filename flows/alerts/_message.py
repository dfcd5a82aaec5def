"""What a notice says: subject, text, HTML and JSON, the same for all its recipients.

Reads the templates beside it; writes nothing. A rule's own template that fails costs the standard
message one sentence, never the notice.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, TypedDict

from flows.alerts._notice import EventKind, Notice, worst_first
from flows.alerts._reading import label
from flows.alerts._rule import Bound, Rule, Template
from flows.alerts._state import AlertState
from toolkit.durations import format_duration
from toolkit.templates import UserTemplateError, number_text, one_line, render

WORST = 10

_HEADLINES: dict[EventKind, str] = {
    "firing": "The alert is firing",
    "still_firing": "The alert is still firing",
    "resolved": "The alert is over",
    "no_data": "The alert was firing and has no data any more",
    "flapping": "The alert is flapping: no more notices until it settles",
    "error": "The rule can't be evaluated",
    "error_resolved": "The rule can be evaluated again",
}
_HINTS: dict[EventKind, str] = {
    "error": "You get this as the rule's owner; its readers were not told. `analytics-worker alerts"
    " test` with the rule's name shows the error.",
    "no_data": "It is reported as over as soon as data says so.",
}
_COLOURS = {"critical": "#c81e1e", "warning": "#d97706", "resolved": "#15803d"}


class Message(TypedDict):
    """The payload of a delivery."""

    subject: str
    text: str
    html: str
    json: dict[str, Any]


def message(rule: Rule, notice: Notice, now: datetime, uid: str, *, html: bool = True) -> Message:
    """Render a notice with the rule's own template, or with the standard one; HTML on demand."""
    context = _context(rule, notice, now)
    try:
        rendered = _rendered(rule, context, html=html)
    except UserTemplateError as error:
        context["hint"] = f"The rule's own template failed: {error}"
        rendered = _rendered(rule.model_copy(update={"template": Template()}), context, html=html)
    subject, text, page = rendered
    return Message(subject=subject, text=text, html=page, json=_json(rule, context, uid))


def _rendered(rule: Rule, context: Mapping[str, Any], *, html: bool) -> tuple[str, str, str]:
    own = rule.template
    subject = one_line(render(own.subject or _standard("subject.txt"), context, html=False))
    text = render(own.text or _standard("text.txt"), context, html=False)
    if not html:
        return subject, text, ""
    full = {**context, "subject": subject}
    return subject, text, render(own.html or _standard("body.html"), full, html=True)


@lru_cache
def _standard(name: str) -> str:
    return (Path(__file__).parent / "templates" / f"{name}.jinja").read_text()


def _context(rule: Rule, notice: Notice, now: datetime) -> dict[str, Any]:
    """Plain values only: this is all that a template sees."""
    ranked = worst_first(rule, notice.states)
    severity = notice.severity
    since = min(filter(None, (s.firing_since for s in notice.states.values())), default=None)
    since = since or notice.health.since
    return {
        "kind": notice.kind,
        "label": (severity or "alert").upper() if notice.kind == "firing" else _label(notice),
        "headline": _HEADLINES[notice.kind],
        "severity": severity,
        "rule": {
            "name": rule.name,
            "description": rule.description,
            "owner": rule.owner,
        },
        "condition": _condition(rule, severity),
        "group": label(notice.group),
        "count": len(ranked),
        "more": max(0, len(ranked) - WORST),
        "worst": [_item(key, state, now) for key, state in ranked[:WORST]],
        "since": _instant(since),
        "duration": _duration(since, now),
        "error": notice.health.error,
        "hint": _HINTS.get(notice.kind),
        "colour": _COLOURS.get(
            severity or "" if notice.kind != "resolved" else "resolved", "#475569"
        ),
        "at": _instant(now),
    }


def _label(notice: Notice) -> str:
    return notice.kind.replace("_", " ").upper()


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
    what = {"rows": "rows", "change": "change", "change_percent": "change in %"}
    return f"{what.get(rule.measure, rule.value or 'value')} {rule.operator} {shown}"


def _instant(at: datetime | None) -> str | None:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if at else None


def _duration(since: datetime | None, now: datetime) -> str | None:
    """How long it has been so; nothing for what has just begun."""
    if since is None or now <= since:
        return None
    return format_duration(now - since)


def _json(rule: Rule, context: Mapping[str, Any], uid: str) -> dict[str, Any]:
    """What machines get: the same facts; numbers that JSON can't say are texts."""
    plain = {name: value for name, value in context.items() if name not in {"colour", "rule"}}
    worst = [{k: _finite(v) for k, v in item.items()} for item in plain.pop("worst")]
    first = worst[0] if len(worst) == 1 else {}
    return {
        "event_id": uid,
        "rule": rule.name,
        "description": rule.description,
        "owner": rule.owner,
        **plain,
        "value": first.get("value"),
        "worst": worst,
    }


def _finite(value: Any) -> Any:
    """Infinity as text, which JSON has no number for."""
    is_infinite = isinstance(value, float) and value in {float("inf"), float("-inf")}
    return str(value) if is_infinite else value


def sample_context(rule: Rule) -> dict[str, Any]:
    """A context to try a rule's template with before there is an alert."""
    now = datetime.now(UTC)
    state = AlertState(
        now, "firing", rule.highest, 1.0, 1.0, 1.0, firing_since=now, told=rule.highest
    )
    return {**_context(rule, Notice("firing", states={"": state}), now), "subject": "subject"}
