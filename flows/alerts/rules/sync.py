"""Bring ops.alert_rules in step with the definition files.

Writes one row per rule; rules that left their file are retired without a word. Safe to repeat: a
second time nothing is different. States survive changes of a rule, unless its keys changed.
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
class Change:
    """What is different between a file and the database."""

    kind: Kind
    name: str
    action: Action
    fields: Mapping[str, tuple[Any, Any]]
    """Of a changed rule: before and after."""


def diff(rules: Definitions) -> list[Change]:
    """What `sync` would change."""
    with warehouse() as connection:
        return _changes(run_sql(connection, "alerts/stored_rules"), rules)


def sync(rules: Definitions) -> list[Change]:
    """Store the rules, retire those that are gone, and say what changed."""
    with warehouse() as connection:
        stored = run_sql(connection, "alerts/stored_rules")
        changes = _changes(stored, rules)
        touched = [c for c in changes if c.action != "retired"]
        if touched:
            rows = [_row(c.kind, rules[c.kind, c.name]) for c in touched]
            run_sql(connection, "alerts/sync_rules", rules=json.dumps(rows))
        _retire(connection, stored, changes)
    return changes


def _retire(connection: Connection, stored: Any, changes: list[Change]) -> None:
    gone = {(c.kind, c.name) for c in changes if c.action == "retired"}
    ids = [row["id"] for row in stored if (row["kind"], row["name"]) in gone]
    if ids:
        run_sql(connection, "alerts/retire_rules", rule_ids=ids)


def _row(kind: Kind, rule: Rule) -> dict[str, Any]:
    return {
        "kind": kind,
        "name": rule.name,
        "definition": json.loads(rule.stored()),
        "every": f"{rule.every.total_seconds()} seconds",
        "enabled": rule.enabled,
    }


def _changes(stored: Any, rules: Definitions) -> list[Change]:
    rows: dict[tuple[Kind, str], RowMapping] = {(r["kind"], r["name"]): r for r in stored}
    changes: list[Change] = []
    for (kind, name), rule in rules.items():
        row = rows.get((kind, name))
        if row is None or row["retired"]:
            changes.append(Change(kind, name, "new", {}))
        elif fields := differences(json.loads(row["definition"]), json.loads(rule.stored())):
            changes.append(Change(kind, name, "changed", fields))
    gone = [key for key, row in rows.items() if key not in rules and not row["retired"]]
    return changes + [Change(kind, name, "retired", {}) for kind, name in gone]
