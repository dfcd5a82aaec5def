"""What a notice says: subject, text, HTML and JSON, the same for all its recipients.

Reads the templates beside it; writes nothing. A rule's own template that fails costs the standard
message one sentence, never the notice. Texts are cut to LONGEST_TEXT, visibly, so that no value fails
the standard message.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from analytics_worker.delivery.message import Content, Fact
from analytics_worker.text import one_line, printable, value_line
from analytics_worker.user_templates.rendering import (
    UserTemplateError,
    number_text,
    render,
    render_project_template,
    shorten_texts,
)
from flows.alerts.evaluation.samples import NO_KEY, label
from flows.alerts.evaluation.state_machine import AlertState
from flows.alerts.notifications.json_body import Ranked, condition, duration_text, json_body
from flows.alerts.notifications.model import EventKind, Notice, began, worst_first
from flows.alerts.notifications.subject import subject
from flows.alerts.rules.model import Rule, Template

WORST = 10
MAX_ERROR = 2000
LONGEST_TEXT = 4000

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


_PREFIX = re.compile(r"^\[[^\]]*\]\s+(?=\S)")


class _Texts(NamedTuple):
    """What the templates say."""

    subject: str
    text: str
    html: str | None


def render_notice(
    rule: Rule, notice: Notice, now: datetime, uid: str, *, html: bool = True
) -> Content:
    """Render a notice with the rule's own template, or with the standard one; HTML on demand."""
    worst = worst_first(rule, notice.states)[:WORST]
    context = _context(rule, notice, worst, now)
    own = rule.template
    try:
        texts = _rendered(own, context, html=html)
    except UserTemplateError as error:
        context["hint"] = value_line(f"The rule's own template failed: {error}")
        own = Template()
        texts = _rendered(own, context, html=html)
    more = {"event_id": uid, "hint": context["hint"]}
    return Content(
        subject=texts.subject,
        headline=_PREFIX.sub("", texts.subject),
        text=texts.text,
        html=texts.html,
        json=json_body(rule, notice, worst, now, _headline(notice)) | more,
        facts=() if own.text else _facts(context),
        items=() if own.text else _items(context),
    )


def _headline(notice: Notice) -> str:
    return _HEADLINES[notice.kind]


def _rendered(own: Template, context: Mapping[str, Any], *, html: bool) -> _Texts:
    title = render(own.subject, context, html=False) if own.subject else subject(context)
    title = one_line(title)
    text = printable(_part(own.text, "text.txt", context, html=False))
    if not html:
        return _Texts(title, text, None)
    full = {**context, "subject": title}
    return _Texts(title, text, _part(own.html, "body.html", full, html=True))


def _facts(context: Mapping[str, Any]) -> tuple[Fact, ...]:
    """Return what a card shows beside its title."""
    only = context["worst"][0] if context["count"] == 1 else {"value": None, "worst": None}
    labels = {
        "Error": context["error"],
        "Condition": None if context["error"] else context["condition"],
        "Value": _number(only["value"], context),
        "Worst value": _number(only["worst"], context) if only["worst"] != only["value"] else None,
        "Since": context["since"],
        "Duration": context["duration"],
        "Owner": context["rule"]["owner"],
        "Description": context["rule"]["description"],
        "Note": context["hint"],
    }
    return tuple(Fact(label=label, value=value) for label, value in labels.items() if value)


def _number(value: float | None, context: Mapping[str, Any]) -> str | None:
    return None if value is None else number_text(value) + context["unit"]


def _items(context: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a line for each of the worst keys, if there are several."""
    if context["count"] < 2:  # noqa: PLR2004
        return ()
    lines = [_line(item, context) for item in context["worst"]]
    more = [f"… and {number_text(context['more'])} more"] if context["more"] else []
    return (*lines, *more)


def _line(item: Mapping[str, Any], context: Mapping[str, Any]) -> str:
    value = _number(item["value"], context) or "no data"
    severity = f" ({item['severity']})" if item["severity"] else ""
    duration = f", for {item['duration']}" if item["duration"] else ""
    return f"{item['key']}: {value}{severity}{duration}"


def _part(own: str | None, standard: str, context: Mapping[str, Any], *, html: bool) -> str:
    if own:
        return render(own, context, html=html)
    return render_project_template(_standard(standard), context, html=html)


@lru_cache
def _standard(name: str) -> str:
    return (Path(__file__).parent / "templates" / f"{name}.jinja").read_text()


def _context(rule: Rule, notice: Notice, worst: Ranked, now: datetime) -> dict[str, Any]:
    """Plain values only: this is all that a template sees."""
    since, kind = began(notice), notice.kind
    context = {
        "kind": kind,
        "label": _label(notice),
        "headline": _headline(notice),
        "severity": notice.severity,
        "rule": {
            "name": value_line(rule.name),
            "description": printable(rule.description or "") or None,
            "owner": value_line(rule.owner or "") or None,
        },
        "condition": value_line(condition(rule, notice.severity)),
        "unit": " %" if rule.measure == "change_percent" else "",
        "group": label(notice.group),
        "count": len(notice.states),
        "more": len(notice.states) - len(worst),
        "worst": [_item(key, state, now) for key, state in worst],
        "since": _instant(since),
        "duration": duration_text(since, now),
        "error": value_line(notice.health.error or "", MAX_ERROR) or None,
        "hint": _hint(rule, kind),
        "color": _COLORS.get(kind, _COLORS.get(notice.severity or "", "#475569")),
        "at": _instant(now),
    }
    return shorten_texts(context, LONGEST_TEXT)


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
        "duration": duration_text(state.firing_since, now),
    }


def _instant(at: datetime | None) -> str | None:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if at else None


def sample_context(rule: Rule) -> dict[str, Any]:
    """A context to try a rule's template with before there is an alert."""
    now = datetime.now(UTC)
    state = AlertState(
        now, "firing", rule.highest, 1.0, 1.0, 1.0, firing_since=now, told=rule.highest
    )
    notice = Notice("firing", states={NO_KEY: state})
    return {**_context(rule, notice, [(NO_KEY, state)], now), "subject": "subject"}
