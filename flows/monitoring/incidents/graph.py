"""Build the lineage that explains problems: relations, dbt, rules, reports, promises, and the runs that units failed in.

Reads the catalog of the warehouse, ops.dbt_relations, ops.unit_reads and ops.promises; writes nothing.
"""

from collections.abc import Iterable

from sqlalchemy import Connection

from analytics_worker.lineage.graph import Lineage
from analytics_worker.lineage.promises import add_promises
from analytics_worker.lineage.stored import stored_lineage
from flows.monitoring.incidents.causes import Problem


def incident_lineage(connection: Connection, problems: Iterable[Problem]) -> Lineage:
    """Return what reads what, and which failing deployment each failing unit is a part of."""
    lineage = stored_lineage(connection)
    add_promises(lineage, connection)
    _add_runs(lineage, list(problems))
    return lineage


def _add_runs(lineage: Lineage, problems: list[Problem]) -> None:
    """Add that the last run of a deployment failed because a unit failed in it."""
    runs = {
        each.run_id: each.unit
        for each in problems
        if each.unit.kind == "deployment" and each.run_id
    }
    for each in problems:
        if each.unit.kind != "deployment" and each.run_id in runs:
            lineage.add(each.unit, runs[each.run_id])
