"""Render the subject of a notification.

Reads nothing, writes nothing. Works on the context of the templates.
"""

from collections.abc import Mapping
from typing import Any

from analytics_worker.user_templates.rendering import number_text


def subject(context: Mapping[str, Any]) -> str:
    """Return a subject such as ``[CRITICAL] consent-coverage: EMEA at 0.44 (coverage < 0.5)``."""
    group = f" ({context['group']})" if context["group"] else ""
    title = f"[{context['label']}] {context['rule']['name']}{group}"
    detail = _detail(context)
    return f"{title}: {detail}" if detail else title


def _detail(context: Mapping[str, Any]) -> str:
    duration = f" after {context['duration']}" if context["duration"] else ""
    match context["kind"]:
        case "error":
            return context["error"]
        case "error_resolved":
            return f"recovered{duration}"
        case "resolved":
            return _resolved_text(context, duration)
        case "no_data":
            return f"{_keys_text(context)} no data".strip()
        case "flapping":
            return f"now {_value_text(context)}"
        case _:
            return _value_text(context)


def _keys_text(context: Mapping[str, Any]) -> str:
    """Return the key, or the number of keys; empty for a rule without keys."""
    if context["count"] > 1:
        return f"{number_text(context['count'])} keys"
    return context["worst"][0]["key"] if context["worst"] else ""


def _resolved_text(context: Mapping[str, Any], duration: str) -> str:
    has_several, worst = context["count"] > 1, context["worst"][0]
    text = f"{_keys_text(context)} resolved{'' if has_several else duration}".strip()
    if worst["worst"] is None:
        return text
    key = f"{worst['key']} at " if has_several else ""
    return f"{text} (worst {key}{_number(worst['worst'], context)})"


def _value_text(context: Mapping[str, Any]) -> str:
    keys, worst = _keys_text(context), context["worst"][0] if context["worst"] else None
    if worst is None or worst["value"] is None:
        return keys
    value = _number(worst["value"], context)
    if context["count"] > 1:
        return f"{keys}, worst {worst['key']} at {value}"
    condition = f" ({context['condition']})" if context["condition"] else ""
    return f"{keys} at {value}{condition}" if keys else f"{value}{condition}"


def _number(value: float, context: Mapping[str, Any]) -> str:
    return number_text(value) + context["unit"]
