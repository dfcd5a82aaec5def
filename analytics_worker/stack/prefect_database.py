"""Find the database of the Prefect server, as seen from this host.

Reads the settings of Prefect and of the state folder; opens nothing.
"""

from pathlib import Path

from sqlalchemy.engine import URL, make_url

from analytics_worker.database.urls import DRIVER
from analytics_worker.settings import settings, user_variables
from analytics_worker.stack.environment import DATABASE_URLS, is_on_sqlite
from analytics_worker.stack.prefect_database_tls import libpq_parameters


def sqlite_file() -> Path | None:
    """Return the file that `make up` and `analytics-worker server` use here; None with another database."""
    if not is_on_sqlite():
        return None
    variables = user_variables()
    url = next(filter(None, (variables.get(name) for name in DATABASE_URLS)), None)
    home = Path(variables.get("PREFECT_HOME") or settings().state_dir / "prefect").expanduser()
    named = make_url(url).database if url else None
    return Path(named) if named else home / "prefect.db"


def server_url() -> str | None:
    """Return the URL that the server connects to; None on SQLite."""
    from prefect.settings import get_current_settings  # noqa: PLC0415  # takes a second

    if is_on_sqlite():
        return None
    secret = get_current_settings().server.database.connection_url
    return secret.get_secret_value() if secret else None


def for_psycopg2(url: str) -> URL:
    """Translate the server's URL from asyncpg to psycopg2."""
    parsed = make_url(url).set(drivername=DRIVER)
    address = {key: value for key, value in parsed.query.items() if key in {"host", "port"}}
    return parsed.set(query=address | libpq_parameters(parsed, user_variables()))
