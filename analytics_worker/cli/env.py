"""``analytics-worker env``: the running stack's variables as shell exports. Writes nothing.

The output contains the passwords of the database and the Prefect server: it is meant for ``eval``, not for a log.
"""

import shlex

import typer
from sqlalchemy.engine import make_url

from analytics_worker.errors import PermanentError
from analytics_worker.settings import settings
from analytics_worker.stack_address import STACK_ID, stack_variables


def env() -> None:
    """Print the running stack's variables for a shell: eval "$(analytics-worker env)"."""
    variables = {name: value for name, value in stack_variables().items() if name != STACK_ID}
    secret = settings().database_url
    if secret is not None:
        variables |= _database(secret.get_secret_value())
    if not variables:
        raise PermanentError("no stack runs here: run `make up` first.")
    for name, value in variables.items():
        typer.echo(f"export {name}={shlex.quote(value)}")


def _database(url: str) -> dict[str, str]:
    """The database for SQLAlchemy, for psql, and for dbt on the command line."""
    parsed = make_url(url)
    host = str(parsed.query.get("host") or parsed.host or "localhost")
    port, name = str(parsed.port or 5432), parsed.database or ""
    user, password = parsed.username or "", parsed.password or ""
    return {
        "DATABASE_URL": url,
        "PGHOST": host,
        "PGPORT": port,
        "PGUSER": user,
        "PGPASSWORD": password,
        "PGDATABASE": name,
        "DBT_HOST": host,
        "DBT_PORT": port,
        "DBT_USER": user,
        "DBT_ENV_SECRET_PASSWORD": password,
        "DBT_DBNAME": name,
    }
