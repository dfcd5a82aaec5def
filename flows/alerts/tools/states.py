"""Show the states of all alerts, the most urgent first.

Reads ops.alert_status, ops.alert_rules and the deliveries of notifications; writes nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from decimal import Decimal
from typing import Any, NamedTuple

from pydantic import ValidationError
from sqlalchemy import RowMapping

from analytics_worker.completeness.partial_periods import incomplete_since_text
from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.presentation.exact_numbers import short_text
from analytics_worker.text import counted, value_line
from flows.alerts.evaluation.samples import MAX_KEY_BYTES, exact_key_label, group_of
from flows.alerts.notifications.values import unit_of, value_text
from flows.alerts.rules.model import Rule
from flows.alerts.tools.learning import Alert, learning_texts

MAX_SHOWN_STATES = 200
MAX_KEY_CHARACTERS, _SHOWN_END = 40, 15


class ShownStates(NamedTuple):
    """The most urgent states, as rows of a table without empty columns."""

    rows: list[dict[str, str]]
    total: str
    """How many there are, and how many of them are shown."""


def shown_states(*, with_learning: bool = False) -> ShownStates:
    """Return the states of all alerts, the most urgent first.

    Args:
        with_learning: Also say which alerts are learning, for which the history of their rules is read.
    """
    with warehouse() as connection:
        rows = run_sql(connection, "alerts/shown_states", max_rows=MAX_SHOWN_STATES)
        learning = learning_texts(connection, _alerts(rows)) if with_learning else {}
    total = rows[0]["total"] if rows else 0
    is_complete = total <= MAX_SHOWN_STATES
    count = counted(total, "state") if is_complete else f"{MAX_SHOWN_STATES} of {total} states"
    return ShownStates(_drop_empty_columns([_table_row(row, learning) for row in rows]), count)


def _alerts(rows: Iterable[RowMapping]) -> dict[Alert, Rule]:
    """Return the alerts that were evaluated, with their rules."""
    found = {(row["rule_id"], row["key"]): row["definition"] for row in rows if row["rule_id"]}
    rules = {alert: _stored_rule(definition) for alert, definition in found.items()}
    return {alert: rule for alert, rule in rules.items() if rule}


def _table_row(row: Mapping[Any, Any], learning: Mapping[Alert, str]) -> dict[str, str]:
    rule = _stored_rule(row["definition"])
    learned = learning.get((row["rule_id"], row["key"]))
    notified = [row["told"], "not notified" if row["untold"] else None, _undelivered(row, rule)]
    return {
        "rule": row["name"],
        "key": short_key(row["key"] or ""),
        "state": row["status"] + _notes(row, learned),
        "severity": row["severity"] or "",
        "value": "" if row["value"] is None else _value_text(rule, row["value"]),
        "since (UTC)": f"{row['since'].astimezone(UTC):%Y-%m-%d %H:%M:%S}" if row["since"] else "",
        "notified": ", ".join(filter(None, notified)),
        "owner": row["owner"] or "",
        "error": row["error"] or "",
    }


def short_key(key: str) -> str:
    """Return a key that leaves room for other columns; of a long one, both ends."""
    label = value_line(exact_key_label(key), MAX_KEY_BYTES)
    if len(label) <= MAX_KEY_CHARACTERS:
        return label
    start = MAX_KEY_CHARACTERS - _SHOWN_END - 1
    return f"{label[:start]}…{label[-_SHOWN_END:]}"


def _notes(row: Mapping[Any, Any], learned: str | None) -> str:
    """Return what else is known of a state: each in parentheses."""
    muted = f"muted by {row['muted_by']}" if row["muted_by"] else None
    since = row["incomplete_since"]
    notes = [
        "silenced" if row["silenced"] else muted,
        incomplete_since_text(since, "UTC") if since else None,
        learned,
    ]
    return "".join(f" ({note})" for note in notes if note)


def _undelivered(row: Mapping[Any, Any], rule: Rule | None) -> str | None:
    """Return the channels through which the last notification of the alert was not delivered."""
    group = group_of(rule, row["key"] or "") if rule else None
    channels = [
        f"{value_line(channel, MAX_KEY_BYTES)} ({status})"
        for group_key, channel, status in row["undelivered"] or ()
        if group in {None, group_key}
    ]
    return f"not delivered to {', '.join(channels)}" if channels else None


def _stored_rule(definition: str) -> Rule | None:
    """Return the stored rule, or None if it is not valid any more."""
    try:
        return Rule.model_validate_json(definition)
    except ValidationError:
        return None


def _value_text(rule: Rule | None, value: Decimal) -> str:
    """Return the value as the rule's messages show it; without unit if the stored rule is not valid."""
    if rule is None:
        return short_text(value)
    has_format = unit_of(rule) or rule.format != "number" or rule.decimals is not None
    return value_text(rule, value) if has_format else short_text(value)


def _drop_empty_columns(rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    used = [name for name in (rows[0] if rows else ()) if any(row[name] for row in rows)]
    return [{name: row[name] for name in used} for row in rows]
