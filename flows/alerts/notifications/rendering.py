"""Render a notification: subject, text, HTML and JSON, the same for all its recipients.

Reads the settings and the templates beside it; writes nothing. If the template of a rule fails, the
standard message is sent with a hint that says why. Long texts are visibly truncated, so that no value
can make the standard message fail.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from analytics_worker.delivery.message import Content, Fact, Image, Link
from analytics_worker.text import one_line, printable, value_line
from analytics_worker.user_templates.rendering import (
    UserTemplateError,
    number_text,
    render,
    render_project_template,
)
from flows.alerts.expected.ranges import bounded_rule
from flows.alerts.notifications.context import notification_context
from flows.alerts.notifications.json_body import RankedStates, json_body
from flows.alerts.notifications.kind_texts import HEADLINES
from flows.alerts.notifications.model import Notification, sort_worst_first
from flows.alerts.notifications.recent_values import recent_image
from flows.alerts.notifications.subject import subject
from flows.alerts.rules.model import Rule, Template

MAX_LISTED_KEYS = 10

_LABEL_PREFIX = re.compile(r"^\[[^\]]*\]\s+(?=\S)")


class _RenderedTexts(NamedTuple):
    """Rendered templates."""

    subject: str
    text: str
    html: str | None


def render_notification(
    rule: Rule,
    notification: Notification,
    now: datetime,
    uid: str,
    *,
    html: bool = True,
    run_url: str = "",
) -> Content:
    """Render a notification with the template of the rule, or with the standard template."""
    worst_first = sort_worst_first(rule, notification.states, notification.expected)
    worst = worst_first[:MAX_LISTED_KEYS]
    context = notification_context(rule, notification, worst, now, run_url)
    images = _images(rule, notification, worst, context) if html else ()
    context["image"] = images[0].name if images else None
    template = rule.template
    try:
        texts = _render_texts(template, context, html=html)
    except UserTemplateError as error:
        context["hint"] = value_line(f"The template of the rule failed: {error}")
        template = Template()
        texts = _render_texts(template, context, html=html)
    extra = {"event_id": uid, "hint": context["hint"], "run_url": context["run_url"]}
    return Content(
        subject=texts.subject,
        headline=_LABEL_PREFIX.sub("", texts.subject),
        text=texts.text,
        html=texts.html,
        json=json_body(rule, notification, worst, now, HEADLINES[notification.kind]) | extra,
        facts=() if template.text else _facts(context),
        items=() if template.text else _items(context),
        links=_links(context),
        images=images,
    )


def _images(
    rule: Rule, notification: Notification, worst: RankedStates, context: Mapping[str, Any]
) -> tuple[Image, ...]:
    """Return the picture of the recent_values of the worst key, for the standard HTML."""
    if rule.template.html or not worst or not context["worst"][0]["recent_values"]:
        return ()
    key, _ = worst[0]
    recent_values = notification.recent_values[key]
    bounded = bounded_rule(rule, notification.expected.get(key))
    return (recent_image(bounded, recent_values, notification.severity, context["color"]),)


def _links(context: Mapping[str, Any]) -> tuple[Link, ...]:
    links = {"Open the run": context["run_url"], "Runbook": context["rule"]["runbook_url"]}
    return tuple(Link(label=label, url=url) for label, url in links.items() if url)


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
    item: Mapping[str, Any] = context["worst"][0] if context["count"] == 1 else {}
    differs = item.get("worst") != item.get("value")
    facts = {
        "Error": context["error"],
        "Condition": None if context["error"] else context["condition"],
        "Value": _value(item.get("value_text"), context),
        "Reason": context["reason"],
        "Worst value": item.get("worst_text") if differs else None,
        "Last values": _recent_values(item),
        "Since": context["since"],
        "Duration": context["duration"],
        "Data": context["trust"],
        "What to do": context["rule"]["runbook"],
        "Owner": context["rule"]["owner"],
        "Description": context["rule"]["description"],
        "Note": context["hint"],
    }
    return tuple(Fact(label=label, value=value) for label, value in facts.items() if value)


def _value(text: str | None, context: Mapping[str, Any]) -> str | None:
    at = context["value_at"]
    return f"{text} as of {at}" if text and at else text


def _recent_values(item: Mapping[str, Any]) -> str | None:
    return (
        f"{item['recent_values']} {item['recent_summary']}" if item.get("recent_values") else None
    )


def _items(context: Mapping[str, Any]) -> tuple[str, ...]:
    """Return one line for each of the worst keys, if there are several."""
    if context["count"] < 2:  # noqa: PLR2004
        return ()
    lines = [_item_line(item) for item in context["worst"]]
    more = [f"… and {number_text(context['more'])} more"] if context["more"] else []
    return (*lines, *more)


def _item_line(item: Mapping[str, Any]) -> str:
    value = item["value_text"] or item["reason"] or "no data"
    expected = f", expected {item['expected']}" if item["expected"] else ""
    recent_values = f" {item['recent_values']}" if item["recent_values"] else ""
    severity = f" ({item['severity']})" if item["severity"] else ""
    duration = f", for {item['duration']}" if item["duration"] else ""
    return f"{item['key']}: {value}{expected}{recent_values}{severity}{duration}"


def _render_part(own: str | None, standard: str, context: Mapping[str, Any], *, html: bool) -> str:
    if own:
        return render(own, context, html=html)
    return render_project_template(_standard_template(standard), context, html=html)


@lru_cache
def _standard_template(name: str) -> str:
    return (Path(__file__).parent / "templates" / f"{name}.jinja").read_text()
