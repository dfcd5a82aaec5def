"""``analytics-worker env``: the running stack's variables as shell exports. Writes nothing.

The output contains the passwords of the database and the Prefect server: it is meant for ``eval``, not for a log.
"""

import shlex

import typer

from analytics_worker.database.libpq_environment import complete, dbt_variables, psql_variables
from analytics_worker.database.libpq_url import host_lists, libpq_parameters
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


def _database(url: str, direct: str | None = None) -> dict[str, str]:
    """The database for SQLAlchemy, for psql, and for dbt on the command line, with all parameters."""
    parameters = libpq_parameters(direct or url)
    return {
        "DATABASE_URL": url,
        **psql_variables(libpq_parameters(url)),
        **dbt_variables(_for_dbt(parameters), "DBT_ENV_SECRET_PASSWORD"),
    }


def _for_dbt(parameters: dict[str, str]) -> dict[str, str]:
    """Return the hosts on the first one's port: profiles.yml has one port for all of them."""
    hosts, ports = host_lists(complete(parameters))
    ports = [port or "5432" for port in ports]
    same = [host for host, port in zip(hosts, ports, strict=False) if port == ports[0]]
    if len(same) == len(hosts):
        return parameters
    typer.echo(
        f"DBT_HOST is {','.join(same)}: dbt takes one port, and the other hosts have another than {ports[0]}",
        err=True,
    )
    return parameters | {"host": ",".join(same), "port": ports[0]}
