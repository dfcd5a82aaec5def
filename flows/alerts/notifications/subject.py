"""The subject of a notice: what is known on a phone before anything is opened.

Reads nothing, writes nothing; works on the plain values that templates see, too.
"""

from collections.abc import Mapping
from typing import Any

from analytics_worker.user_templates.rendering import number_text


def subject(context: Mapping[str, Any]) -> str:
    """``[CRITICAL] consent-coverage: EMEA at 0.44 (coverage < 0.5)``."""
    group = f" ({context['group']})" if context["group"] else ""
    head = f"[{context['label']}] {context['rule']['name']}{group}"
    said = _said(context)
    return f"{head}: {said}" if said else head


def _said(context: Mapping[str, Any]) -> str:
    after = f" after {context['duration']}" if context["duration"] else ""
    match context["kind"]:
        case "error":
            return context["error"]
        case "error_resolved":
            return f"works again{after}"
        case "resolved":
            return _over(context, after)
        case "no_data":
            return f"{_who(context)} no data any more".strip()
        case "flapping":
            return f"now {_found(context)}"
        case _:
            return _found(context)


def _who(context: Mapping[str, Any]) -> str:
    """The key, or how many there are; nothing for a rule without keys."""
    if context["count"] > 1:
        return f"{number_text(context['count'])} keys"
    return context["worst"][0]["key"] if context["worst"] else ""


def _over(context: Mapping[str, Any], after: str) -> str:
    many, worst = context["count"] > 1, context["worst"][0]
    said = f"{_who(context)} over{'' if many else after}".strip()
    if worst["worst"] is None:
        return said
    at = f"{worst['key']} at" if many else "value"
    return f"{said}, worst {at} {_number(worst['worst'], context)}"


def _found(context: Mapping[str, Any]) -> str:
    who, worst = _who(context), context["worst"][0] if context["worst"] else None
    if worst is None or worst["value"] is None:
        return who
    value = _number(worst["value"], context)
    if context["count"] > 1:
        return f"{who}, worst {worst['key']} at {value}"
    limit = f" ({context['condition']})" if context["condition"] else ""
    return f"{who} at {value}{limit}" if who else f"{value}{limit}"


def _number(value: float, context: Mapping[str, Any]) -> str:
    return number_text(value) + context["unit"]
