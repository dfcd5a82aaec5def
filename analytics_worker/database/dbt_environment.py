"""The environment of a dbt process: of the flows that run dbt, and of the health check that parses its project.

Reads the environment (dbt's env_var() can name any variable) and the settings.
"""

import os

from analytics_worker.database.libpq_environment import dbt_variables, extra_parameters
from analytics_worker.database.urls import MissingDatabaseError, direct_url, parameters_of

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
        url = direct_url()
    except MissingDatabaseError:
        return {}  # profiles.yml of the project defines its own connection
    parameters = parameters_of(url)
    return dbt_variables(parameters, f"{SECRET_VARIABLE}_PASSWORD") | extra_parameters(parameters)
