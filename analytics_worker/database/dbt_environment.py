"""The environment of a dbt process: of the flows that run dbt, and of the health check that parses its project.

Reads the environment (dbt's env_var() can name any variable) and the settings.
"""

import os

from sqlalchemy.engine import URL

from analytics_worker.database.urls import MissingDatabaseError, warehouse_url

SECRET_VARIABLE = "DBT_ENV_SECRET"  # noqa: S105  # the prefix that dbt keeps out of its own logs


def dbt_environment() -> dict[str, str]:
    """Return the variables of this process and the warehouse connection for profiles.yml."""
    return {
        **os.environ,  # noqa: TID251  # a child's environment
        **_connection(),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
        "LC_MESSAGES": "C",  # libpq's messages are read by a program
    }


def _connection() -> dict[str, str]:
    try:
        url = warehouse_url()
    except MissingDatabaseError:
        return {}  # profiles.yml of the project defines its own connection
    return {
        "DBT_HOST": _host(url),
        "DBT_PORT": str(url.query.get("port") or url.port or 5432),
        "DBT_USER": url.username or "",
        f"{SECRET_VARIABLE}_PASSWORD": url.password or "",
        "DBT_DBNAME": url.database or "",
        "DBT_SSLMODE": str(url.query.get("sslmode", "prefer")),
    }


def _host(url: URL) -> str:
    """Return the host name, or the folder of the Unix socket, which is a parameter of the URL."""
    return str(url.query.get("host") or url.host or "localhost")
