"""Synchronize ops.alert_rules with the definition files.

Writes one row per rule. Rules removed from their file are retired. Safe to repeat: a second sync changes
nothing. Alert states survive changes and renames of a rule. If it is removed or disabled, or its keys
change, its alerts end, and those who were notified that they fire are notified of that.
"""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from analytics_worker.database.connections import run_sql, warehouse
from flows.alerts.evaluation.ending import end_alerts
from flows.alerts.rules.changes import RuleChange, find_changes
from flows.alerts.rules.model import Kind, Rule
from flows.alerts.rules.yaml_files import Definitions


def diff(rules: Definitions) -> list[RuleChange]:
    """Return what `sync` would change."""
    with warehouse() as connection:
        return find_changes(run_sql(connection, "alerts/stored_rules"), rules)


def sync(rules: Definitions) -> list[RuleChange]:
    """Store the rules, retire removed ones, end their alerts, and return the changes."""
    with warehouse() as connection:
        changes = find_changes(run_sql(connection, "alerts/stored_rules"), rules)
        end_alerts(
            connection, {c.rule_id: c.end_reason for c in changes if c.rule_id and c.end_reason}
        )
        _retire(connection, [c.rule_id for c in changes if c.action == "retired"])
        _rename(connection, [c for c in changes if c.action == "renamed"])
        rows = [_row(c.kind, rules[c.kind, c.name]) for c in changes if c.action != "retired"]
        if rows:
            run_sql(connection, "alerts/sync_rules", rules=json.dumps(rows))
    return changes


def _retire(connection: Connection, rule_ids: Sequence[int | None]) -> None:
    if rule_ids:
        run_sql(connection, "alerts/retire_rules", rule_ids=list(rule_ids))


def _rename(connection: Connection, changes: Sequence[RuleChange]) -> None:
    if changes:
        names = json.dumps([{"rule_id": c.rule_id, "name": c.name} for c in changes])
        run_sql(connection, "alerts/move_retired_rules", names=names)
        run_sql(connection, "alerts/rename_rules", names=names)


def _row(kind: Kind, rule: Rule) -> dict[str, Any]:
    return {
        "kind": kind,
        "name": rule.name,
        "definition": json.loads(rule.to_json()),
        "every": f"{rule.every.total_seconds()} seconds",
        "enabled": rule.enabled,
    }
