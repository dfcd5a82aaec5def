"""Run ANALYZE on relations that changed, for the planner's statistics.

Reads pg_catalog and the statistics; runs ANALYZE in one short transaction per relation, so that
locks are held briefly. Safe to repeat: relations whose statistics are up to date are skipped.
"""

from typing import TypedDict

from psycopg2 import sql
from sqlalchemy import RowMapping
from sqlalchemy.exc import DBAPIError

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.errors import is_database_outage
from flows.analytics._psycopg import execute, first_line


class NotAnalyzed(TypedDict):
    """A relation that could not be analyzed."""

    relation: str
    reason: str


class Analyzed(TypedDict):
    """Relations by result of ANALYZE."""

    analyzed: list[str]
    up_to_date: int
    not_analyzed: list[NotAnalyzed]


def analyze_changed(schemas: list[str]) -> Analyzed:
    """Analyze the relations that need it; report those that fail and continue."""
    with warehouse() as connection:
        relations = run_sql(connection, "analytics/relations_to_analyze", schemas=schemas)
    due = [row for row in relations if row["is_due"]]
    problems = {row["label"]: _analyze(row) for row in due}
    return Analyzed(
        analyzed=[label for label, problem in problems.items() if problem is None],
        up_to_date=len(relations) - len(due),
        not_analyzed=[
            NotAnalyzed(relation=label, reason=problem)
            for label, problem in problems.items()
            if problem is not None
        ],
    )


def _analyze(row: RowMapping) -> str | None:
    """Analyze one relation; return the reason if that failed.

    The server only warns about a missing privilege, so the privilege is checked first.
    """
    if not row["is_ours"]:
        return "not allowed: its owner has to grant MAINTAIN (PostgreSQL 17 and newer) or the role"
    relation = sql.Identifier(row["schema_name"], row["relation_name"])
    try:
        with warehouse() as connection:
            execute(connection, sql.SQL("analyze {relation}").format(relation=relation))
    except DBAPIError as error:
        if is_database_outage(error):
            raise
        return first_line(error)
    return None
