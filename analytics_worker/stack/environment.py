"""The variables that the stack's processes run with.

Reads the environment of `make up`, and Prefect's variables from ``.env``: what a user set wins, except
for what decides which server the processes talk to. Imports no Prefect, which reads them when imported.
"""

import os
from collections.abc import Mapping
from datetime import timedelta

from analytics_worker.host_port import HIGHEST_PORT, client_host
from analytics_worker.settings import project_root, settings, user_variables
from analytics_worker.stack.errors import StackError
from analytics_worker.stack.prefect_database_tls import server_variables
from analytics_worker.stack.state_dir import MARKER
from analytics_worker.stack_address import API_LOGIN

HOST = "127.0.0.1"
DEFAULT_PORT = 4200
DATABASE_URLS = (
    "PREFECT_SERVER_DATABASE_CONNECTION_URL",
    "PREFECT_API_DATABASE_CONNECTION_URL",
)
"""Variables of Prefect for its server's database, the newer name first."""
ASYNC_DRIVERS = {
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
    "sqlite": "sqlite+aiosqlite",
}
SERVICE_PERIODS = {
    "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_LOOP_SECONDS": "30",
    "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_LOOP_SECONDS": "60",
    "PREFECT_SERVER_SERVICES_CLEANUP_RECONCILER_LOOP_SECONDS": "30",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_LOOP_SECONDS": "15",
    "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "300",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
}
"""Of services that rarely find anything, or find little (docs/decisions/idle-server.md)."""
RUN_RETENTION = timedelta(days=30)  # Prefect itself keeps events for 7 days, and runs forever


def api_port() -> int:
    """Port of the Prefect server, from PREFECT_SERVER_API_PORT."""
    text = user_variables().get("PREFECT_SERVER_API_PORT") or str(DEFAULT_PORT)
    if not text.isdecimal() or not 0 < int(text) <= HIGHEST_PORT:
        raise StackError(
            f"PREFECT_SERVER_API_PORT={text!r} is not a valid port; expected a number such as 4200."
        )
    return int(text)


def is_on_sqlite() -> bool:
    """Whether the Prefect server keeps its data in a SQLite file: no variable names another database."""
    chosen = user_variables()
    urls = [chosen.get(name) for name in DATABASE_URLS]
    url = next(filter(None, urls), "")
    return url.startswith("sqlite") if url else not chosen.get("PREFECT_SERVER_DATABASE_HOST")


def listen_host() -> str:
    """Address that the Prefect server listens on, from PREFECT_SERVER_API_HOST."""
    return user_variables().get("PREFECT_SERVER_API_HOST") or HOST


def ui_url(port: int) -> str:
    """Return the URL of the server for people and processes of this host."""
    host = client_host(listen_host())
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def defaults(port: int) -> dict[str, str]:
    """Return the defaults of the stack's processes, for variables that the user did not set."""
    own = f"{ui_url(port)},http://localhost:{port}"
    return {
        "PREFECT_HOME": str(settings().state_dir / "prefect"),
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_UI_API_URL": "/api",
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": own,
        "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
        "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "true",
        # The check that spares a registration at start imports dbt for it, and keeps it: 2 s, 55 MB.
        "PREFECT_SERVER_MEMOIZE_BLOCK_AUTO_REGISTRATION": "false",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(
            int(RUN_RETENTION.total_seconds())
        ),
        **SERVICE_PERIODS,
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "PYTHONUNBUFFERED": "1",
    }


def environment(port: int, marker: str, login: str | None) -> dict[str, str]:
    """The complete environment of the stack's processes."""
    own = defaults(port)
    given = {name: value for name, value in user_variables().items() if value or name not in own}
    chosen = own | given  # an empty variable is one that is not set
    return (
        chosen
        | {
            "PREFECT_API_URL": f"{ui_url(port)}/api",
            "PREFECT_SERVER_API_HOST": listen_host(),
            "PREFECT_SERVER_API_PORT": str(port),
            "STATE_DIR": str(settings().state_dir),
            "LOG_DIR": str(settings().log_dir),
            "PYTHONPATH": _python_path(chosen.get("PYTHONPATH")),
            MARKER: marker,
        }
        | database_variables(chosen)
        | _login(login)
    )


def database_variables(chosen: Mapping[str, str]) -> dict[str, str]:
    """Return what Prefect reads instead of the URL of its database that the user wrote: driver and TLS are asyncpg's.

    Raises:
        StackError: a parameter for TLS is invalid.
    """
    name = next((name for name in DATABASE_URLS if chosen.get(name)), None)
    if name is None:
        return {}
    url = _with_async_driver(chosen[name].strip())
    return {name: url} | server_variables(name, url)


def _with_async_driver(url: str) -> str:
    """Name the only driver that the server can use, whichever the URL has."""
    scheme, separator, rest = url.partition("://")
    driver = ASYNC_DRIVERS.get(scheme.partition("+")[0], scheme)
    return driver + separator + rest


def _login(login: str | None) -> dict[str, str]:
    """The same on both sides; a login of some other server must not stay with the clients."""
    return {"PREFECT_SERVER_API_AUTH_STRING": login, API_LOGIN: login} if login else {}


def _python_path(existing: str | None) -> str:
    """Flows are imported by their dotted names, wherever a run's working directory is."""
    return os.pathsep.join(part for part in (str(project_root()), existing) if part)
