"""Say which statement_timeout stopped a statement of dbt, and how to raise it.

That of the worker ends with the run, so it is one of dbt's role, of the database, the server or profiles.yml. Reads the
settings of a new session of DATABASE_URL; writes nothing.
"""

from functools import cache

from sqlalchemy.exc import SQLAlchemyError

from analytics_worker.database.connections import MissingDatabaseError, direct_connection, run_sql
from analytics_worker.database.urls import direct_url
from analytics_worker.text import one_line
from flows.dbt._dbt_artifacts import MESSAGE_CHARACTERS, DbtOutcome, is_failed
from flows.dbt._failures import STATEMENT_TIMEOUT

OWNERS = {
    "database user": "the role's",
    "user": "the role's",
    "database": "the database's",
    "global": "the server's",
    "configuration file": "the server's",
}
"""By the source of the setting."""
OTHER = (
    "the statement_timeout of dbt's role, its database or profiles.yml stopped it: raise it there"
)


def name_timeout(outcome: DbtOutcome) -> None:
    """Let each message about a statement timeout begin with the setting."""
    explanation = cache(_explanation)  # asked for once, if at all
    for node in outcome.nodes.values():
        if is_failed(node) and STATEMENT_TIMEOUT in node["message"]:
            message = f"{explanation()} ({node['message']})"
            node["message"] = one_line(message, MESSAGE_CHARACTERS)
    if outcome.error and STATEMENT_TIMEOUT in outcome.error:
        outcome.error = f"{explanation()} ({outcome.error})"


def _explanation() -> str:
    """Return the setting with its owner and value, and the statement that raises it."""
    try:
        with direct_connection(direct_url()) as connection:
            rows = run_sql(connection, "dbt/statement_timeout")
    except (MissingDatabaseError, SQLAlchemyError):
        rows = []
    owner = OWNERS.get(rows[0]["source"]) if rows and not rows[0]["is_unlimited"] else None
    if owner is None:  # dbt has another role than the worker, or options of its own
        return OTHER
    row = rows[0]
    return (
        f"{owner} statement_timeout of {row['value']} stopped it; raise it: {row['change']} = '…'"
    )
