"""What the Prefect server has stored, table by table: runs, their states, logs, events.

Reads the server's database where this host can: the SQLite file of the state folder, or the PostgreSQL
that ``PREFECT_SERVER_DATABASE_CONNECTION_URL`` names. Writes nothing, and holds no lock.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

from prefect.settings import get_current_settings
from sqlalchemy import URL, text

from analytics_worker.database.connections import direct_connection, parse_url
from analytics_worker.doctor.findings import Finding, judged, size
from analytics_worker.settings import settings

LARGE_TABLE = 2e9
GROWING = (
    "flow_run",
    "flow_run_state",
    "task_run",
    "task_run_state",
    "log",
    "events",
    "event_resources",
    "artifact",
)
UNSEEN = (
    "not seen from here; where it is PostgreSQL, PREFECT_SERVER_DATABASE_CONNECTION_URL shows it"
)
FIX = "Lower RUN_RETENTION_DAYS, or keep the server's data in PostgreSQL."


def sizes() -> Iterator[Finding]:
    """Each table of the server that grows, largest first, as far as its database can be asked."""
    secret = get_current_settings().server.database.connection_url
    url = secret.get_secret_value() if secret else ""
    found = _of_postgres(url) if url.startswith("postgres") else _of_file(_file())
    if not found:
        yield Finding("size", "prefect's database", "ok", UNSEEN)
    for name, used in sorted(found.items(), key=lambda one: -one[1]):
        yield judged("size", f"prefect.{name}", size(used), warn=used > LARGE_TABLE, fix=FIX)


def _file() -> Path:
    return settings().state_dir / "prefect" / "prefect.db"


def _of_postgres(url: str) -> Mapping[str, float]:
    with direct_connection(_for_psycopg2(url)) as connection:
        rows = connection.execute(text(_sql("prefect_postgres")), {"names": list(GROWING)})
        return {name: float(used) for name, used in rows}


def _for_psycopg2(url: str) -> URL:
    """The server's URL in the words of another driver: the server connects with asyncpg."""
    parsed = parse_url(url)
    kept = {key: value for key, value in parsed.query.items() if key in {"host", "port"}}
    encrypted = {"sslmode": parsed.query["ssl"]} if "ssl" in parsed.query else {}
    return parsed.set(query=kept | encrypted)


def _of_file(path: Path) -> Mapping[str, float]:
    """Empty where there is no such file, or an SQLite that does not tell."""
    if not path.exists():
        return {}
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            rows = connection.execute(_sql("prefect_sqlite"))
            return {name: used for name, used in rows if name in GROWING}
    except sqlite3.OperationalError:
        return {}


def _sql(name: str) -> str:
    return (Path(__file__).parent / "sql" / f"{name}_sizes.sql").read_text()
