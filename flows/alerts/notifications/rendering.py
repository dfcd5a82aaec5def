"""Render a notification: subject, text, HTML and JSON, the same for all its recipients.

Reads the templates beside it; writes nothing. If the template of a rule fails, the standard message is
sent with a hint that says why. Long texts are visibly truncated to MAX_TEXT_CHARACTERS, so that no
value can make the standard message fail.
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
from flows.alerts.evaluation.samples import NO_KEY, key_label
from flows.alerts.evaluation.state_machine import AlertState
from flows.alerts.notifications.json_body import (
    RankedStates,
    condition_text,
    duration_text,
    json_body,
)
from flows.alerts.notifications.kind_texts import COLORS, HEADLINES, hint, label
from flows.alerts.notifications.model import (
    Notification,
    sort_worst_first,
    start_time,
)
from flows.alerts.notifications.reasons import older_values_at, reason_text
from flows.alerts.notifications.subject import subject
from flows.alerts.rules.model import Rule, Template

MAX_LISTED_KEYS = 10
MAX_ERROR_CHARACTERS = 2000
MAX_TEXT_CHARACTERS = 4000

_LABEL_PREFIX = re.compile(r"^\[[^\]]*\]\s+(?=\S)")


class _RenderedTexts(NamedTuple):
    """Rendered templates."""

    subject: str
    text: str
    html: str | None


def render_notification(
    rule: Rule, notification: Notification, now: datetime, uid: str, *, html: bool = True
) -> Content:
    """Render a notification with the template of the rule, or with the standard template."""
    worst = sort_worst_first(rule, notification.states)[:MAX_LISTED_KEYS]
    context = _context(rule, notification, worst, now)
    template = rule.template
    try:
        texts = _render_texts(template, context, html=html)
    except UserTemplateError as error:
        context["hint"] = value_line(f"The template of the rule failed: {error}")
        template = Template()
        texts = _render_texts(template, context, html=html)
    extra = {"event_id": uid, "hint": context["hint"]}
    return Content(
        subject=texts.subject,
        headline=_LABEL_PREFIX.sub("", texts.subject),
        text=texts.text,
        html=texts.html,
        json=json_body(rule, notification, worst, now, HEADLINES[notification.kind]) | extra,
        facts=() if template.text else _facts(context),
        items=() if template.text else _items(context),
    )


def _render_texts(template: Template, context: Mapping[str, Any], *, html: bool) -> _RenderedTexts:
    own = template.subject
    title = one_line(render(own, context, html=False) if own else subject(context))
    text = printable(_render_part(template.text, "text.txt", context, html=False))
    if not html:
        return _RenderedTexts(title, text, None)
    full = {**context, "subject": title}
    return _RenderedTexts(title, text, _render_part(template.html, "body.html", full, html=True))


def _facts(context: Mapping[str, Any]) -> tuple[Fact, ...]:
    """Return the labeled values of a card."""
    item = context["worst"][0] if context["count"] == 1 else {"value": None, "worst": None}
    facts = {
        "Error": context["error"],
        "Condition": None if context["error"] else context["condition"],
        "Value": _value(item["value"], context),
        "Reason": context["reason"],
        "Worst value": _number(item["worst"], context) if item["worst"] != item["value"] else None,
        "Since": context["since"],
        "Duration": context["duration"],
        "Owner": context["rule"]["owner"],
        "Description": context["rule"]["description"],
        "Note": context["hint"],
    }
    return tuple(Fact(label=label, value=value) for label, value in facts.items() if value)


def _value(value: float | None, context: Mapping[str, Any]) -> str | None:
    at = context["value_at"]
    text = _number(value, context)
    return f"{text} as of {at}" if text and at else text


def _number(value: float | None, context: Mapping[str, Any]) -> str | None:
    return None if value is None else number_text(value) + context["unit"]


def _items(context: Mapping[str, Any]) -> tuple[str, ...]:
    """Return one line for each of the worst keys, if there are several."""
    if context["count"] < 2:  # noqa: PLR2004
        return ()
    lines = [_item_line(item, context) for item in context["worst"]]
    more = [f"… and {number_text(context['more'])} more"] if context["more"] else []
    return (*lines, *more)


def _item_line(item: Mapping[str, Any], context: Mapping[str, Any]) -> str:
    value = _number(item["value"], context) or item["reason"] or "no data"
    severity = f" ({item['severity']})" if item["severity"] else ""
    duration = f", for {item['duration']}" if item["duration"] else ""
    return f"{item['key']}: {value}{severity}{duration}"


def _render_part(own: str | None, standard: str, context: Mapping[str, Any], *, html: bool) -> str:
    if own:
        return render(own, context, html=html)
    return render_project_template(_standard_template(standard), context, html=html)


@lru_cache
def _standard_template(name: str) -> str:
    return (Path(__file__).parent / "templates" / f"{name}.jinja").read_text()


def _context(
    rule: Rule, notification: Notification, worst: RankedStates, now: datetime
) -> dict[str, Any]:
    """Return the plain values that templates can use."""
    since, kind = start_time(notification), notification.kind
    context = {
        "kind": kind,
        "label": label(notification),
        "headline": HEADLINES[notification.kind],
        "severity": notification.severity,
        "rule": {
            "name": value_line(rule.name),
            "description": printable(rule.description or "") or None,
            "owner": value_line(rule.owner or "") or None,
        },
        "condition": value_line(condition_text(rule, notification.severity)),
        "unit": " %" if rule.measure == "change_percent" else "",
        "group": key_label(notification.group),
        "count": len(notification.states),
        "more": len(notification.states) - len(worst),
        "worst": [_item(notification, key, state, now) for key, state in worst],
        "reason": value_line(reason_text(notification) or "", MAX_ERROR_CHARACTERS) or None,
        "value_at": _format_time(older_values_at(notification, now)),
        "since": _format_time(since),
        "duration": duration_text(since, now),
        "error": value_line(notification.health.error or "", MAX_ERROR_CHARACTERS) or None,
        "hint": hint(rule, kind),
        "color": COLORS.get(kind, COLORS.get(notification.severity or "", "#475569")),
        "at": _format_time(now),
    }
    return shorten_texts(context, MAX_TEXT_CHARACTERS)


def _item(notification: Notification, key: str, state: AlertState, now: datetime) -> dict[str, Any]:
    reason = notification.reasons.get(key)
    return {
        "key": key_label(key),
        "severity": state.severity,
        "value": state.value,
        "worst": state.worst_value,
        "reason": reason and value_line(reason),
        "since": _format_time(state.firing_since),
        "duration": duration_text(state.firing_since, now),
    }


def _format_time(at: datetime | None) -> str | None:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if at else None


def example_context(rule: Rule) -> dict[str, Any]:
    """Return an example context, to validate the template of a rule."""
    now = datetime.now(UTC)
    severity = rule.highest_severity
    state = AlertState(
        now, "firing", severity, 1.0, 1.0, 1.0, firing_since=now, notified_severity=severity
    )
    notification = Notification("firing", states={NO_KEY: state})
    return {**_context(rule, notification, [(NO_KEY, state)], now), "subject": "subject"}
