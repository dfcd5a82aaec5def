"""Bring ops.report_definitions in step with the definition file.

Writes one row per report; reports that left the file are retired: what was made of them stays. Safe to
repeat: a second time nothing is different.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import RowMapping

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.definitions.yaml_definitions import differences
from flows.reports.definitions.model import Report
from flows.reports.definitions.yaml_files import Definitions

Action = Literal["new", "changed", "retired"]


@dataclass(frozen=True)
class Change:
    """What is different between the file and the database."""

    name: str
    action: Action
    fields: Mapping[str, tuple[Any, Any]]
    """Of a changed report: before and after."""


def diff(reports: Definitions) -> list[Change]:
    """What `sync` would change."""
    with warehouse() as connection:
        return _changes(run_sql(connection, "reports/stored_definitions"), reports)


def sync(reports: Definitions) -> list[Change]:
    """Store the reports, retire those that are gone, and say what changed."""
    with warehouse() as connection:
        changes = _changes(run_sql(connection, "reports/stored_definitions"), reports)
        rows = [_row(reports[c.name]) for c in changes if c.action != "retired"]
        gone = [c.name for c in changes if c.action == "retired"]
        if rows:
            run_sql(connection, "reports/sync_definitions", reports=json.dumps(rows))
        if gone:
            run_sql(connection, "reports/retire_definitions", names=gone)
    return changes


def _row(report: Report) -> dict[str, Any]:
    return {
        "name": report.name,
        "definition": json.loads(report.stored()),
        "schedule": report.schedule,
        "enabled": report.enabled,
    }


def _changes(stored: Sequence[RowMapping], reports: Definitions) -> list[Change]:
    rows = {row["name"]: row for row in stored}
    changes: list[Change] = []
    for name, report in reports.items():
        row = rows.get(name)
        if row is None or row["retired"]:
            changes.append(Change(name, "new", {}))
        elif fields := differences(row["definition"], json.loads(report.stored())):
            changes.append(Change(name, "changed", fields))
    gone = [name for name, row in rows.items() if name not in reports and not row["retired"]]
    return changes + [Change(name, "retired", {}) for name in gone]
