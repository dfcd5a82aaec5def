"""The Prefect server of `make up` without the rest of the stack, for workers on other hosts.

Writes Prefect's data, the login where one is needed, and the address for other commands of this checkout into the
state folder; holds the lock of that folder, as `make up` does. Then this process becomes the server, so that systemd or a container runtime sees its end.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from analytics_worker.host_port import WILDCARDS, Authority, is_loopback
from analytics_worker.log_format import use_log_format
from analytics_worker.settings import settings, user_variables
from analytics_worker.stack.components import SINGLE_ARENA
from analytics_worker.stack.damaged_database import set_damaged_aside
from analytics_worker.stack.environment import environment, is_on_sqlite, listen_host
from analytics_worker.stack.login import Login, access_notes, choose_login
from analytics_worker.stack.preflight import check_disk, check_server, check_writable
from analytics_worker.stack.server_database_template import SKIP_PREPARATION, start_from_template
from analytics_worker.stack.state_dir import StackRecord, StateFolder, created
from analytics_worker.stack.terminal import stack_terminal
from analytics_worker.stack_address import API_LOGIN, API_URL

SQLITE = (
    "SQLite in {home}: answers fastest, for one server. For several servers, or if this host may be lost, set"
    " PREFECT_SERVER_DATABASE_CONNECTION_URL=postgresql+asyncpg://user:password@host/database."
)
POSTGRESQL = (
    "PostgreSQL, which several servers can share if they share a Redis, too (docs/production.md)."
)


def serve() -> None:
    """Replace this process by the server.

    Raises:
        StackError: it could not run here, or would listen beyond this host without a login.
    """
    use_log_format("server")
    folder = StateFolder(settings().state_dir)
    check_writable(folder.path, "STATE_DIR")
    check_disk(folder.path)
    folder.acquire_lock()
    folder.clear_leftovers()
    settings.cache_clear()  # stack.env of a killed stack must not pass for the user's choice
    port, login = check_server(), choose_login()
    home = folder.path / "prefect"
    home.mkdir(mode=0o700, exist_ok=True)
    variables = user_variables()
    terminal = stack_terminal("server")
    for line in set_damaged_aside(home, variables):
        terminal.say(line)
    prepared = SKIP_PREPARATION if start_from_template(home, variables) else {}
    own = prepared | SINGLE_ARENA | environment(port, folder.marker, login and login.secret)
    for line in _notes(port, login):
        terminal.inform(line)
    _record(folder, own)
    folder.keep_lock_for_program()
    sys.stdout.flush()
    command = [sys.executable, "-m", "analytics_worker.stack.server_process", str(port)]
    os.execve(sys.executable, command, own)  # noqa: S606  # no shell, as wanted


def _record(folder: StateFolder, variables: Mapping[str, str]) -> None:
    """Let other commands of this checkout find the server, which removes this when it ends."""
    folder.write_env({name: variables[name] for name in (API_URL, API_LOGIN) if name in variables})
    folder.write(
        StackRecord(
            pid=os.getpid(),  # the program that replaces this one keeps it
            created=created(os.getpid()) or 0.0,
            marker=folder.marker,
            api_url=variables[API_URL],
            since=datetime.now(UTC).isoformat(timespec="seconds"),
            components=[],
        )
    )


def _notes(port: int, login: Login | None) -> Iterator[str]:
    """Yield what to know about this server: its database, its login, and how it is reached."""
    home = settings().state_dir / "prefect"
    yield f"Database: {SQLITE.format(home=home) if is_on_sqlite() else POSTGRESQL}"
    yield from access_notes(login)
    host = "127.0.0.1" if listen_host() in WILDCARDS else listen_host()
    yield f"Starting http://{Authority(host, port)}/api, which answers in some seconds; Ctrl-C ends it."
    if not is_loopback(listen_host()):
        yield (
            f"Workers on other hosts: {API_URL}=http://HOST:{port}/api and {API_LOGIN}=the login; name HOST"
            " in SERVER_ALLOWED_HOSTS unless it is an address."
        )
