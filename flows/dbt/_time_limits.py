"""Say which time limit of the database stopped a statement of dbt, and how to raise it.

dbt's own limits end with the run, so it is one of its role, of the database, the server or profiles.yml. Reads the
settings of a new session of DATABASE_URL; writes nothing.
"""

from sqlalchemy.exc import SQLAlchemyError

from analytics_worker.database.connections import MissingDatabaseError, direct_connection, run_sql
from analytics_worker.database.urls import direct_url
from analytics_worker.text import one_line
from flows.dbt._dbt_artifacts import MESSAGE_CHARACTERS, DbtOutcome, is_failed
from flows.dbt._failures import time_limit

OWNERS = {
    "database user": "the role's",
    "user": "the role's",
    "database": "the database's",
    "global": "the server's",
    "configuration file": "the server's",
}
"""By the source of the setting."""
OTHER = "the {name} of dbt's role, its database or profiles.yml stopped it: raise it there"


def name_limits(outcome: DbtOutcome) -> None:
    """Let each message about a time limit begin with the limit."""
    known: dict[str, str] = {}

    def explained(message: str, limit: str) -> str:
        known[limit] = known.get(limit) or _explanation(limit)
        return f"{known[limit]} ({message})"

    for node in outcome.nodes.values():
        if is_failed(node) and (limit := time_limit(node["message"])):
            node["message"] = one_line(explained(node["message"], limit), MESSAGE_CHARACTERS)
    if outcome.error and (limit := time_limit(outcome.error)):
        outcome.error = explained(outcome.error, limit)


def _explanation(name: str) -> str:
    """Return the limit with its owner and value, and the statement that raises it."""
    try:
        with direct_connection(direct_url()) as connection:
            rows = run_sql(connection, "dbt/session_limit", setting=name)
    except (MissingDatabaseError, SQLAlchemyError):
        rows = []
    owner = OWNERS.get(rows[0]["source"]) if rows and not rows[0]["is_unlimited"] else None
    if owner is None:  # dbt has another role than the worker, or options of its own
        return OTHER.format(name=name)
    return f"{owner} {name} of {rows[0]['value']} stopped it; raise it: {rows[0]['change']} = '…'"
