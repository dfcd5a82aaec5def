"""Synchronize ops.alert_rules with the definition files.

Writes one row per rule. Rules removed from their file are retired without a notification. Safe to
repeat: a second sync changes nothing. Alert states survive changes of a rule, unless its keys changed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, RowMapping

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.definitions.yaml_definitions import differences
from flows.alerts.rules.model import Kind, Rule
from flows.alerts.rules.yaml_files import Definitions

Action = Literal["new", "changed", "retired"]


@dataclass(frozen=True)
class RuleChange:
    """One difference between the files and the database."""

    kind: Kind
    name: str
    action: Action
    fields: Mapping[str, tuple[Any, Any]]
    """Old and new value of each changed field."""


def diff(rules: Definitions) -> list[RuleChange]:
    """Return what `sync` would change."""
    with warehouse() as connection:
        return _changes(run_sql(connection, "alerts/stored_rules"), rules)


def sync(rules: Definitions) -> list[RuleChange]:
    """Store the rules, retire removed ones, and return the changes."""
    with warehouse() as connection:
        stored = run_sql(connection, "alerts/stored_rules")
        changes = _changes(stored, rules)
        rows = [_row(c.kind, rules[c.kind, c.name]) for c in changes if c.action != "retired"]
        if rows:
            run_sql(connection, "alerts/sync_rules", rules=json.dumps(rows))
        _retire(connection, stored, changes)
    return changes


def _retire(connection: Connection, stored: Any, changes: list[RuleChange]) -> None:
    retired = {(c.kind, c.name) for c in changes if c.action == "retired"}
    ids = [row["id"] for row in stored if (row["kind"], row["name"]) in retired]
    if ids:
        run_sql(connection, "alerts/retire_rules", rule_ids=ids)


def _row(kind: Kind, rule: Rule) -> dict[str, Any]:
    return {
        "kind": kind,
        "name": rule.name,
        "definition": json.loads(rule.to_json()),
        "every": f"{rule.every.total_seconds()} seconds",
        "enabled": rule.enabled,
    }


def _changes(stored: Any, rules: Definitions) -> list[RuleChange]:
    rows: dict[tuple[Kind, str], RowMapping] = {(r["kind"], r["name"]): r for r in stored}
    changes: list[RuleChange] = []
    for (kind, name), rule in rules.items():
        row = rows.get((kind, name))
        if row is None or row["retired"]:
            changes.append(RuleChange(kind, name, "new", {}))
        elif fields := differences(json.loads(row["definition"]), json.loads(rule.to_json())):
            changes.append(RuleChange(kind, name, "changed", fields))
    removed = [key for key, row in rows.items() if key not in rules and not row["retired"]]
    return changes + [RuleChange(kind, name, "retired", {}) for kind, name in removed]
