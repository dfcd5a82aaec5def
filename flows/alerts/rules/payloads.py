"""Convert the data of an alert event into a rule.

Reads nothing, writes nothing. Accepts the payloads of the Celery worker. Unknown keys are ignored,
because callers send whole rows. Keys of a rule (``reduce``, ``parameters``, ``repeat_every`` …) are
accepted, too.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import timedelta
from decimal import Decimal
from typing import Any, cast

from analytics_worker.definitions.durations import format_duration
from analytics_worker.definitions.request_problems import RequestProblems
from analytics_worker.definitions.yaml_definitions import did_you_mean
from analytics_worker.errors import PermanentError
from flows.alerts.rules.bounds import parse_bound
from flows.alerts.rules.model import Rule
from flows.alerts.rules.validation import NO_BOUND, find_problems

DEFAULT_REPEAT_EVERY = timedelta(hours=1)
"""Within this time the same event is not notified again."""

_ASSUMED = {"name": "alert", "operator": ">"}
"""Values in place of required ones that are invalid, so that the others are checked, too."""
_BOUNDS = ("threshold", "warning", "critical", "recovery")
_VARIABLES = {
    "email": "ALERT_EMAIL_*",
    "webhook": "ALERT_WEBHOOK_URL",
    "slack": "ALERT_SLACK_URL",
}
_ADDRESS_KEYS = ("to", "recipients", "recipient", "addresses", "address", "email", "emails")
_BLOCK_KEYS = ("block", "name")
_SECRET_KEYS = ("url", "webhook_url", "token", "password", "headers", "secret")
_RULE_KEYS = {field.alias or name for name, field in Rule.model_fields.items()} - {
    "was", "at", "cron", "weekdays", "calendar", "expected", "period", "include_partial",
}  # fmt: skip


class AlertRequestError(PermanentError):
    """The data of an event is not valid; names the key and the expected value."""


def parse_alert(alert_data: Mapping[str, Any]) -> tuple[str, Rule]:
    """Return identity and rule of ``alert_data``: id, name, query, threshold, operator, channels.

    Raises:
        AlertRequestError: keys are missing or not valid; names all of them.
    """
    path, problems = "alert_data", RequestProblems(AlertRequestError)
    identity = problems.checked("id", _identity, alert_data, path)
    content = {
        **_common_fields(alert_data, path, problems),
        "name": str(alert_data.get("name") or identity),
        "sql": problems.checked("sql", _required, alert_data, "query", path),
        "operator": problems.checked("operator", _required, alert_data, "operator", path),
    }
    if "warning" not in content and "critical" not in content:
        content["threshold"] = problems.checked("threshold", _threshold, alert_data, path)
    return f"alert:{identity}", _build_rule(content, path, problems)


def parse_threshold(threshold_data: Mapping[str, Any]) -> tuple[str, Rule]:
    """Return identity and rule of ``threshold_data``: id, metric_name, query, bounds, operator.

    The query detects when the alert resolves. Without a query only another event can resolve it.

    Raises:
        AlertRequestError: keys are missing or not valid; names all of them.
    """
    path, problems = "threshold_data", RequestProblems(AlertRequestError)
    identity = problems.checked("id", _identity, threshold_data, path)
    content = {
        **_common_fields(threshold_data, path, problems),
        "name": str(threshold_data.get("metric_name") or threshold_data.get("name") or identity),
        "operator": threshold_data.get("comparison_operator") or ">",
    }
    for severity in ("warning", "critical"):
        key = f"{severity}_threshold"
        bound = threshold_data.get(key)
        if bound is not None:
            content[severity] = problems.checked(severity, _parse_bound, bound, f"{path}.{key}")
    if threshold_data.get("query"):
        content["sql"] = threshold_data["query"]
    return f"threshold:{identity}", _build_rule(content, path, problems)


def _identity(data: Mapping[str, Any], path: str) -> str:
    identity = data.get("id", data.get("name", data.get("metric_name")))
    if not isinstance(identity, str | int) or identity == "":
        raise AlertRequestError(f"{path}.id is missing; every alert needs a stable id")
    return str(identity)


def _required(data: Mapping[str, Any], key: str, path: str) -> Any:
    if data.get(key) is None:
        suggestion = did_you_mean(key, [k for k in data if isinstance(k, str)]) if data else ""  # pyright: ignore[reportUnnecessaryIsInstance]  # JSON from outside
        raise AlertRequestError(f"{path}.{key} is missing{suggestion}")
    return data[key]


def _threshold(alert_data: Mapping[str, Any], path: str) -> Decimal | list[Decimal]:
    return _parse_bound(_required(alert_data, "threshold", path), f"{path}.threshold")


def _parse_bound(value: Any, path: str) -> Decimal | list[Decimal]:
    """Return the bound; forms and numeric columns send numbers as text."""
    try:
        return parse_bound(value)
    except ValueError:
        raise AlertRequestError(f"{path}: {value!r} is not a valid number") from None


def _common_fields(data: Mapping[str, Any], path: str, problems: RequestProblems) -> dict[str, Any]:
    """Return the keys of a rule that the caller set, and the channels."""
    content = {k: v for k, v in data.items() if k in _RULE_KEYS - {"name", "sql", "threshold"}}
    content.setdefault("repeat_every", format_duration(DEFAULT_REPEAT_EVERY))
    channels = data.get("notification_channels")
    if channels is not None:
        items = cast("list[Any]", channels) if isinstance(channels, list) else [channels]
        content["channels"] = [
            problems.checked(
                "channels", _parse_channel, item, f"{path}.notification_channels[{index}]"
            )
            for index, item in enumerate(items)
        ]
    return content


def _parse_channel(channel: Any, path: str) -> dict[str, Any]:
    """Parse ``"email"``, ``{"type": "email", "to": […]}`` or ``{"type": "webhook", "block": "ops-hook"}``."""
    if isinstance(channel, str):
        channel = {"type": channel}
    if not isinstance(channel, dict):
        raise AlertRequestError(
            f'{path} is not a valid channel; expected {{"type": "email", "to": ["a@b.example"]}}'
        )
    fields = cast("dict[str, Any]", channel)
    if isinstance(fields.get("config"), dict):
        fields = {**fields, **cast("dict[str, Any]", fields["config"])}
    kind = fields.get("type")
    if kind not in _VARIABLES:
        suggestion = did_you_mean(str(kind), _VARIABLES)
        raise AlertRequestError(f"{path}.type: {kind!r} is not a valid type{suggestion}")
    if secret_key := _first_key(fields, _SECRET_KEYS):
        raise AlertRequestError(_secret_message(path, kind, secret_key))
    block_key, address_key = _first_key(fields, _BLOCK_KEYS), _first_key(fields, _ADDRESS_KEYS)
    to = fields[address_key] if address_key else []
    return {
        "name": fields[block_key] if block_key else kind,
        "to": _split_addresses(to) if isinstance(to, str) else to,
    }


def _first_key(fields: Mapping[str, Any], keys: Sequence[str]) -> str | None:
    """Return the first of the keys that has a value."""
    return next((key for key in keys if fields.get(key)), None)


def _split_addresses(addresses: str) -> list[str]:
    return [address.strip() for address in re.split("[,;]", addresses) if address.strip()]


def _secret_message(path: str, kind: str, secret_key: str) -> str:
    """Describe where to configure a secret that callers must not send; never quote its value."""
    return (
        f"{path}: {secret_key} is not allowed, because parameters are visible to all users of Prefect."
        f' Either set {_VARIABLES[kind]} and send {{"type": "{kind}"}}, or save a block with'
        f' {kind.title()}Channel(…).save("ops-{kind}") from blocks.notifications or in the UI and send'
        f' {{"type": "{kind}", "block": "ops-{kind}"}}'
    )


def _build_rule(content: Mapping[str, Any], path: str, problems: RequestProblems) -> Rule:
    """Return the rule.

    Raises:
        AlertRequestError: fields or their combinations are not valid; names them all, with those found before.
    """
    rule = problems.validated(Rule, content, path, _ASSUMED)
    if rule is not None:
        texts = list(_combination_problems(rule, content, problems.fields))
        if texts:
            problems.add("", f"{path}: {'; '.join(texts)}")
    problems.raise_any()
    return cast("Rule", rule)


def _combination_problems(
    rule: Rule, content: Mapping[str, Any], invalid: AbstractSet[str]
) -> Iterator[str]:
    """Return the problems that do not follow from fields that are known to be invalid.

    Without SQL the event reports the status, so that no bound is needed.
    """
    skipped = {*invalid, *(_BOUNDS if invalid & {*_BOUNDS, "operator"} else ())}
    reports_status = content.get("sql") is None
    skipped |= {"sql"} if reports_status else set()
    no_bound_is_known = reports_status or bool(invalid & set(_BOUNDS))
    for field, text in find_problems(rule):
        if field not in skipped and not (text == NO_BOUND and no_bound_is_known):
            yield text
