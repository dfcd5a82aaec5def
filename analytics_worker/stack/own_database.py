"""Distinguish the stack's own PostgreSQL from a database of the user's, in a shell that has the variables of the stack.

``eval "$(analytics-worker env)"`` sets them; a later ``make up`` of that shell must start that PostgreSQL again.
Removes the variables from the environment of this process; writes nothing else.
"""

import os
from pathlib import Path

from analytics_worker.database.libpq_environment import psql_variables
from analytics_worker.database.libpq_url import libpq_parameters
from analytics_worker.stack.postgres.server import EmbeddedPostgres

VARIABLE = "DATABASE_URL"


def forget_own_database(state_dir: Path) -> None:
    """Remove DATABASE_URL and psql's variables if they are those of the PostgreSQL in this folder."""
    variables = os.environ
    url = variables.get(VARIABLE)
    folder = state_dir / "postgres"
    if not url or not folder.is_dir() or url != EmbeddedPostgres(folder).url:
        return
    own = {VARIABLE: url, **psql_variables(libpq_parameters(url))}
    for name, value in own.items():
        if variables.get(name) == value:
            del variables[name]
