"""Store the definitions of the file in ops.report_definitions.

Writes one row per report. Reports that were removed from the file are retired; their runs and files stay.
Safe to repeat: a second time nothing changes.
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
class ReportChange:
    """A difference between the file and the database."""

    name: str
    action: Action
    fields: Mapping[str, tuple[Any, Any]]
    """Fields of a changed report: before and after."""


def diff(reports: Definitions) -> list[ReportChange]:
    """Return what `sync` would change."""
    with warehouse() as connection:
        return _changes(run_sql(connection, "reports/stored_definitions"), reports)


def sync(reports: Definitions) -> list[ReportChange]:
    """Store the reports and retire those that were removed; return what changed."""
    with warehouse() as connection:
        changes = _changes(run_sql(connection, "reports/stored_definitions"), reports)
        rows = [_row(reports[c.name]) for c in changes if c.action != "retired"]
        retired = [c.name for c in changes if c.action == "retired"]
        if rows:
            run_sql(connection, "reports/sync_definitions", reports=json.dumps(rows))
        if retired:
            run_sql(connection, "reports/retire_definitions", names=retired)
    return changes


def _row(report: Report) -> dict[str, Any]:
    return {
        "name": report.name,
        "definition": json.loads(report.to_json()),
        "schedule": "custom" if report.has_own_times else report.schedule,
        "enabled": report.enabled,
    }


def _changes(stored: Sequence[RowMapping], reports: Definitions) -> list[ReportChange]:
    rows = {row["name"]: row for row in stored}
    changes: list[ReportChange] = []
    for name, report in reports.items():
        row = rows.get(name)
        if row is None or row["retired"]:
            changes.append(ReportChange(name, "new", {}))
        elif fields := differences(row["definition"], json.loads(report.to_json())):
            changes.append(ReportChange(name, "changed", fields))
    removed = [name for name, row in rows.items() if name not in reports and not row["retired"]]
    return changes + [ReportChange(name, "retired", {}) for name in removed]
