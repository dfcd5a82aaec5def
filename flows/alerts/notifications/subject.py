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
        case "resolved":
            return _resolved_text(context, duration)
        case "ended":
            return f"{_keys_text(context)} ended{duration}: {context['reason']}".strip()
        case "no_data":
            return f"{_keys_text(context)} no data".strip()
        case "flapping":
            return f"now {_value_text(context)}"
        case "firing" | "firing_again" | "still_firing":
            return _value_text(context)
        case _:
            return _owner_text(context, duration)


def _owner_text(context: Mapping[str, Any], duration: str) -> str:
    """Return what the owner of a rule is notified of."""
    match context["kind"]:
        case "error_resolved":
            return f"recovered{duration}"
        case "missing_data":
            return f"no data{duration.replace('after', 'for')}"
        case "missing_data_resolved":
            return f"data is available again{duration}"
        case _:
            repeated = f" (for {context['duration']})" if duration else ""
            return f"{context['error']}{repeated}"


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
    return f"{text} (worst {key}{worst['worst_text']})"


def _value_text(context: Mapping[str, Any]) -> str:
    keys, worst = _keys_text(context), context["worst"][0] if context["worst"] else None
    if worst is None or worst["value"] is None:
        return ": ".join(filter(None, (keys, worst and worst["reason"])))
    value = worst["value_text"]
    if context["value_at"]:
        value += f" as of {context['value_at']}"
    if context["count"] > 1:
        return f"{keys}, worst {worst['key']} at {value}"
    condition = f" ({context['condition']})" if context["condition"] else ""
    return f"{keys} at {value}{condition}" if keys else f"{value}{condition}"
