"""Find the recorded results of one node. Reads ``ops.dbt_node_results``; writes nothing."""

import difflib
from collections.abc import Sequence

from sqlalchemy import RowMapping

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.errors import PermanentError


class UnknownNodeError(PermanentError):
    """No result of this node is recorded; the message names the nearest ones."""


def node_history(name: str, limit: int) -> Sequence[RowMapping]:
    """Return the last results of a node, newest first.

    Args:
        name: Its name (``pipeline_kpis``) or unique id (``model.project.pipeline_kpis``).
        limit: The greatest number of results.

    Raises:
        UnknownNodeError: none is recorded.
    """
    with warehouse() as connection:
        rows = run_sql(connection, "dbt/node_history", node=name, limit=limit)
        if rows:
            return rows
        names = [row["name"] for row in run_sql(connection, "dbt/node_names")]
    near = difflib.get_close_matches(name, names, n=3)
    hint = f"; similar names: {', '.join(near)}" if near else ""
    raise UnknownNodeError(f"No result of a dbt node {name!r} is recorded{hint}")
