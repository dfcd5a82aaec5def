"""``analytics-worker env``: the variables of server and database as shell exports. Writes nothing.

They are the user's, from the environment or ``.env``, else those of the running stack.

The output contains the passwords of the database and the Prefect server: it is meant for ``eval``, not for a log.
"""

import shlex

import typer

from analytics_worker.database.libpq_environment import complete, dbt_variables, psql_variables
from analytics_worker.database.libpq_url import host_lists, libpq_parameters
from analytics_worker.errors import PermanentError
from analytics_worker.settings import settings, user_variables
from analytics_worker.stack_address import (
    API_HEADERS,
    API_KEY,
    API_LOGIN,
    API_URL,
    STACK_ID,
    api_address,
    stack_login,
    stack_variables,
)

CLIENT_VARIABLES = (
    API_KEY,
    "PREFECT_API_SSL_CERT_FILE",
    "PREFECT_API_TLS_INSECURE_SKIP_VERIFY",
    API_HEADERS,
)
"""Of Prefect's clients, besides address and login: what the server or a proxy before it requires."""


def env() -> None:
    """Print the variables of server and database for a shell: eval "$(analytics-worker env)"."""
    others = {STACK_ID, API_URL, API_LOGIN}
    variables = {name: value for name, value in stack_variables().items() if name not in others}
    variables |= _server()
    secret, direct = settings().database_url, settings().database_direct_url
    if secret is not None:
        url = secret.get_secret_value()
        variables |= _database(url, direct.get_secret_value() if direct else url)
    if not variables:
        raise PermanentError("no stack runs here: run `make up` first.")
    for name, value in variables.items():
        typer.echo(f"export {name}={shlex.quote(value)}")


def _server() -> dict[str, str]:
    """The Prefect server that the commands use; its login only together with its address."""
    address, given = api_address(), user_variables()
    if address is None:
        return {}
    variables = {name: given[name] for name in CLIENT_VARIABLES if given.get(name)}
    if API_KEY not in variables and (login := given.get(API_LOGIN) or stack_login(address)):
        variables[API_LOGIN] = login
    return {API_URL: address, **variables}


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
