"""Check the table sizes of the Prefect server: runs, their states, logs, events.

Reads the server's database if this host can: the SQLite file of the state folder, or the PostgreSQL that
``PREFECT_SERVER_DATABASE_CONNECTION_URL`` names. Writes nothing, and holds no lock.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

from prefect.settings import get_current_settings
from sqlalchemy import text

from analytics_worker.database.connections import direct_connection
from analytics_worker.doctor.findings import Finding, graded, size
from analytics_worker.settings import settings
from analytics_worker.stack.prefect_database import for_psycopg2

LARGE_TABLE_BYTES = 2e9
GROWING_TABLES = (
    "flow_run",
    "flow_run_state",
    "task_run",
    "task_run_state",
    "log",
    "events",
    "event_resources",
    "artifact",
)
NOT_FOUND = (
    "not found on this host; if it is PostgreSQL, set PREFECT_SERVER_DATABASE_CONNECTION_URL"
)
FIX = "Lower RUN_RETENTION_DAYS, or keep the server's data in PostgreSQL."


def sizes() -> Iterator[Finding]:
    """Check each growing table of the server, largest first, if its database is accessible."""
    secret = get_current_settings().server.database.connection_url
    url = secret.get_secret_value() if secret else ""
    is_postgres = url.startswith("postgres")
    table_sizes = _postgres_sizes(url) if is_postgres else _sqlite_sizes(_sqlite_file())
    if not table_sizes:
        yield Finding("size", "prefect's database", "ok", NOT_FOUND)
    for name, used in sorted(table_sizes.items(), key=lambda item: -item[1]):
        yield graded("size", f"prefect.{name}", size(used), warn=used > LARGE_TABLE_BYTES, fix=FIX)


def _sqlite_file() -> Path:
    return settings().state_dir / "prefect" / "prefect.db"


def _postgres_sizes(url: str) -> Mapping[str, float]:
    with direct_connection(for_psycopg2(url)) as connection:
        rows = connection.execute(text(_sql("prefect_postgres")), {"names": list(GROWING_TABLES)})
        return {name: float(used) for name, used in rows}


def _sqlite_sizes(path: Path) -> Mapping[str, float]:
    """Return the sizes; empty without the file, or if SQLite lacks dbstat."""
    if not path.exists():
        return {}
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            rows = connection.execute(_sql("prefect_sqlite"))
            return {name: used for name, used in rows if name in GROWING_TABLES}
    except sqlite3.OperationalError:
        return {}


def _sql(name: str) -> str:
    return (Path(__file__).parent / "sql" / f"{name}_sizes.sql").read_text()
