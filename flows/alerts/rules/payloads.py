"""Alerts that arrive with an event: what callers of the Celery worker sent, as a rule of ours.

Reads nothing, writes nothing. Keys that are not needed are ignored, because callers send whole rows;
keys of a rule (``reduce``, ``parameters``, ``repeat_every`` …) may be there, too.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, cast

from pydantic import ValidationError

from analytics_worker.definitions.durations import format_duration
from analytics_worker.definitions.yaml_definitions import did_you_mean
from analytics_worker.errors import PermanentError
from flows.alerts.rules.model import Rule
from flows.alerts.rules.validation import problems

REPEAT = timedelta(hours=1)
"""The same event within this time is not told again."""

_VARIABLES = {
    "email": "ALERT_EMAIL_*",
    "webhook": "ALERT_WEBHOOK_URL",
    "slack": "ALERT_SLACK_URL",
}
_ADDRESSES = ("to", "recipients", "recipient", "addresses", "address", "email", "emails")
_BLOCKS = ("block", "name")
_SECRETS = ("url", "webhook_url", "token", "password", "headers", "secret")
_RULE_KEYS = {field.alias or name for name, field in Rule.model_fields.items()}


class AlertRequestError(PermanentError):
    """The event's data can't be used; says which key and what to write."""


def alert_rule(alert_data: Mapping[str, Any]) -> tuple[str, Rule]:
    """Identity and rule of ``alert_data``: id, name, query, threshold, operator, channels.

    Raises:
        AlertRequestError: something is missing or wrong.
    """
    where = "alert_data"
    identity = _identity(alert_data, where)
    content = {
        **_common(alert_data, where),
        "name": str(alert_data.get("name") or identity),
        "sql": _needed(alert_data, "query", where),
        "operator": _needed(alert_data, "operator", where),
    }
    if "warning" not in content and "critical" not in content:
        content["threshold"] = _number(_needed(alert_data, "threshold", where), where, "threshold")
    return f"alert:{identity}", _checked(content, where)


def threshold_rule(threshold_data: Mapping[str, Any]) -> tuple[str, Rule]:
    """Identity and rule of ``threshold_data``: id, metric_name, query, the two thresholds, operator.

    The query is used to see when it is over; without one, only another event can say so.

    Raises:
        AlertRequestError: something is missing or wrong.
    """
    where = "threshold_data"
    identity = _identity(threshold_data, where)
    content = {
        **_common(threshold_data, where),
        "name": str(threshold_data.get("metric_name") or threshold_data.get("name") or identity),
        "operator": threshold_data.get("comparison_operator") or ">",
    }
    for level in ("warning", "critical"):
        bound = threshold_data.get(f"{level}_threshold")
        if bound is not None:
            content[level] = _number(bound, where, f"{level}_threshold")
    if threshold_data.get("query"):
        content["sql"] = threshold_data["query"]
    return f"threshold:{identity}", _checked(content, where)


def _identity(data: Mapping[str, Any], where: str) -> str:
    identity = data.get("id", data.get("name", data.get("metric_name")))
    if not isinstance(identity, str | int) or identity == "":
        raise AlertRequestError(f"{where} has no id: give each alert one that stays the same")
    return str(identity)


def _needed(data: Mapping[str, Any], key: str, where: str) -> Any:
    if data.get(key) is None:
        near = did_you_mean(key, [k for k in data if isinstance(k, str)]) if data else ""  # pyright: ignore[reportUnnecessaryIsInstance]  # JSON from outside
        raise AlertRequestError(f"{where}.{key} is missing{near}")
    return data[key]


def _number(value: Any, where: str, key: str) -> float | list[float]:
    """Numbers may come as text, as they do from forms and from numeric columns."""
    try:
        if isinstance(value, Sequence) and not isinstance(value, str):
            return [float(part) for part in cast("Sequence[Any]", value)]
        return float(value)
    except (TypeError, ValueError):
        raise AlertRequestError(f"{where}.{key} is {value!r}, not a number") from None


def _common(data: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The keys of a rule that the caller set, and the channels."""
    content = {k: v for k, v in data.items() if k in _RULE_KEYS - {"name", "sql", "threshold"}}
    content.setdefault("repeat_every", format_duration(REPEAT))
    channels = data.get("notification_channels")
    if channels is not None:
        place = f"{where}.notification_channels"
        given = cast("list[Any]", channels) if isinstance(channels, list) else [channels]
        content["channels"] = [_channel(c, f"{place}[{n}]") for n, c in enumerate(given)]
    return content


def _channel(channel: Any, where: str) -> dict[str, Any]:
    """``"email"``, ``{"type": "email", "to": […]}`` or ``{"type": "webhook", "block": "ops-hook"}``."""
    if isinstance(channel, str):
        channel = {"type": channel}
    if not isinstance(channel, dict):
        raise AlertRequestError(f'{where}: write {{"type": "email", "to": ["a@b.example"]}}')
    given = cast("dict[str, Any]", channel)
    if isinstance(given.get("config"), dict):
        given = {**given, **cast("dict[str, Any]", given["config"])}
    kind = given.get("type")
    if kind not in _VARIABLES:
        raise AlertRequestError(f"{where}: type {kind!r}{did_you_mean(str(kind), _VARIABLES)}")
    secret = next((key for key in _SECRETS if given.get(key)), None)
    if secret:
        raise AlertRequestError(_migration(where, kind, secret))
    block = next((given[key] for key in _BLOCKS if given.get(key)), kind)
    to = next((given[key] for key in _ADDRESSES if given.get(key)), [])
    return {"name": block, "to": _listed(to) if isinstance(to, str) else to}


def _listed(addresses: str) -> list[str]:
    return [address.strip() for address in re.split("[,;]", addresses) if address.strip()]


def _migration(where: str, kind: str, secret: str) -> str:
    """What to do, once, with what a caller may not send; never the value itself."""
    return (
        f"{where}: {secret} must not be sent, because parameters are shown to everybody. Move it once, either"
        f' to {_VARIABLES[kind]}, and send {{"type": "{kind}"}}; or to a block, with {kind.title()}Channel(…)'
        f'.save("ops-{kind}") from blocks.notifications or in the UI, and send'
        f' {{"type": "{kind}", "block": "ops-{kind}"}}'
    )


def _checked(content: dict[str, Any], where: str) -> Rule:
    try:
        rule = Rule.model_validate(content)
    except ValidationError as error:
        raise AlertRequestError("; ".join(_sentences(error, where))) from None
    found = [text for field, text in problems(rule) if field != "sql" or rule.sql is not None]
    if rule.sql is None:  # an event may bring the verdict itself
        found = [text for text in found if not text.startswith("there is no bound")]
    if found:
        raise AlertRequestError(f"{where}: {'; '.join(found)}")
    return rule


def _sentences(error: ValidationError, where: str) -> list[str]:
    return [
        f"{where}.{'.'.join(map(str, item['loc']))}: {item['msg'].removeprefix('Value error, ')}"
        for item in error.errors()
    ]
