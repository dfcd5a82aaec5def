"""The processes of the stack, as the supervisor needs to know them: PostgreSQL, server, workers.

Reads their readiness (a connection, the API's /ready, a worker's heartbeat); writes nothing.
"""

import http.client
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from stack.environment import HOST
from stack.log_file import LogFile
from stack.postgres import EmbeddedPostgres
from stack.postgres_account import environment as postgres_environment
from stack.service import Service, ends_with_parent
from stack.threads import in_thread
from toolkit.settings import project_root

SERVER, POSTGRES = "server", "postgres"


class Components:
    """Makes the services of one stack."""

    def __init__(
        self,
        environment: Mapping[str, str],
        log_dir: Path,
        port: int,
        say: Callable[[str], None],
        changed: Callable[[], None],
    ) -> None:
        self._environment = environment
        self._log_dir = log_dir
        self._port = port
        self._say = say
        self._changed = changed

    def postgres(self, server: EmbeddedPostgres) -> Service:
        """The embedded PostgreSQL; it shuts down fast on SIGINT."""
        return Service(
            POSTGRES,
            server.command,
            postgres_environment(),
            server.account.directory,
            lambda: in_thread(server.is_ready),
            self._log(POSTGRES),
            self._say,
            self._changed,
            prepare=lambda: in_thread(server.prepare),
            stop_signal=signal.SIGINT,
        )

    def server(self) -> Service:
        """Prefect's API and UI."""
        return self._python(SERVER, ("stack.server", str(self._port)), self._server_answers)

    def worker(self, pool: str) -> Service:
        """A worker for one pool."""
        name = f"{pool}-{socket.gethostname()}".replace("/", "-").replace("%", "-")
        command = ("stack.work", pool, name)
        return self._python(f"worker-{pool}", command, partial(_worker_polls, pool, name))

    def _python(
        self, name: str, command: tuple[str, ...], is_ready: Callable[[datetime], bool]
    ) -> Service:
        whole = ends_with_parent([sys.executable, "-m", *command], signal.SIGTERM)
        started = datetime.now(UTC)

        async def start_clock() -> None:
            nonlocal started
            started = datetime.now(UTC)

        return Service(
            name,
            lambda: whole,
            self._environment,
            project_root(),
            lambda: in_thread(lambda: is_ready(started)),
            self._log(name),
            self._say,
            self._changed,
            prepare=start_clock,
            check_seconds=0.3,
        )

    def _log(self, name: str) -> LogFile:
        return LogFile(self._log_dir / f"{name}.log", self._say)

    def _server_answers(self, _started: datetime) -> bool:
        connection = http.client.HTTPConnection(HOST, self._port, timeout=5)
        try:
            connection.request("GET", "/api/ready")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def _worker_polls(pool: str, name: str, started: datetime) -> bool:
    """Whether the worker has reported since it was started."""
    from httpx import HTTPError  # noqa: PLC0415  # the server starts while Prefect is imported
    from prefect import get_client  # noqa: PLC0415
    from prefect.exceptions import PrefectHTTPStatusError  # noqa: PLC0415

    try:
        with get_client(sync_client=True) as client:
            workers = client.read_workers_for_work_pool(pool)
    except (HTTPError, PrefectHTTPStatusError):
        return False
    beats = [worker.last_heartbeat_time for worker in workers if worker.name == name]
    return any(beat is not None and beat >= started for beat in beats)
