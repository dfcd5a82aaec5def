"""``analytics-worker env``: the running stack's variables as shell exports. Writes nothing.

The output contains the passwords of the database and the Prefect server: it is meant for ``eval``, not for a log.
"""

import shlex

import typer

from analytics_worker.database.libpq_environment import dbt_variables, psql_variables
from analytics_worker.database.libpq_url import libpq_parameters
from analytics_worker.errors import PermanentError
from analytics_worker.settings import settings
from analytics_worker.stack_address import STACK_ID, stack_variables


def env() -> None:
    """Print the running stack's variables for a shell: eval "$(analytics-worker env)"."""
    variables = {name: value for name, value in stack_variables().items() if name != STACK_ID}
    secret, direct = settings().database_url, settings().database_direct_url
    if secret is not None:
        url = secret.get_secret_value()
        variables |= _database(url, direct.get_secret_value() if direct else url)
    if not variables:
        raise PermanentError("no stack runs here: run `make up` first.")
    for name, value in variables.items():
        typer.echo(f"export {name}={shlex.quote(value)}")


def _database(url: str, direct: str) -> dict[str, str]:
    """The database for SQLAlchemy, for psql, and for dbt on the command line, with all parameters."""
    parameters = libpq_parameters(direct)
    return {
        "DATABASE_URL": url,
        **psql_variables(libpq_parameters(url)),
        **dbt_variables(parameters, "DBT_ENV_SECRET_PASSWORD"),
    }
