"""The processes that the supervisor of the stack starts: PostgreSQL, server, worker, exporter.

Reads their readiness (a connection, what they answer, a worker's heartbeat); writes nothing.
"""

import signal
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from analytics_worker.host_port import client_host
from analytics_worker.settings import project_root, settings
from analytics_worker.stack.background_thread import run_in_daemon_thread
from analytics_worker.stack.environment import HOST, listen_host
from analytics_worker.stack.health import (
    API_READY,
    EXPORTER,
    EXPORTER_HEALTH,
    SERVER,
    WORKER,
    request_problem,
)
from analytics_worker.stack.postgres.account import environment as postgres_environment
from analytics_worker.stack.postgres.server import EmbeddedPostgres
from analytics_worker.stack.programs import SINGLE_ARENA, BaseProcess, Program, start_program
from analytics_worker.stack.rotating_log import LogFile
from analytics_worker.stack.supervised_process import SupervisedProcess
from analytics_worker.stack.worker_readiness import workers_poll

POSTGRES = "postgres"
POSTGRES_STOP_SECONDS = 6.0
ANSWER_SECONDS = 5.0
DRAIN_SECONDS = 5.0  # of the fifteen in which the whole stack stops


class Components:
    """Create the services of one stack."""

    def __init__(
        self,
        environment: Mapping[str, str],
        log_dir: Path,
        port: int,
        say: Callable[[str], None],
        changed: Callable[[], None],
        base: BaseProcess,
    ) -> None:
        self._base = base
        self._environment = environment
        self._log_dir = log_dir
        self._port = port
        self._say = say
        self._changed = changed

    def postgres(self, server: EmbeddedPostgres) -> SupervisedProcess:
        """Return the embedded PostgreSQL, which shuts down fast on SIGINT and at once on SIGQUIT."""
        return SupervisedProcess(
            POSTGRES,
            lambda: start_program(
                Program(server.command(), postgres_environment(), server.account.directory)
            ),
            lambda: run_in_daemon_thread(server.is_ready),
            self._log(POSTGRES),
            self._say,
            self._changed,
            prepare=lambda: run_in_daemon_thread(server.prepare),
            stop_signal=signal.SIGINT,
            stop_seconds=POSTGRES_STOP_SECONDS,
            # Sessions end at once, also those whose function never looks for a signal.
            abort_signal=signal.SIGQUIT,
        )

    def server(self) -> SupervisedProcess:
        """Prefect's API and UI."""
        command = ("analytics_worker.server", str(self._port))
        host = client_host(listen_host())
        is_ready = partial(_answers, self._port, API_READY, host=host)
        return self._python(SERVER, command, is_ready, SINGLE_ARENA)

    def exporter(self) -> SupervisedProcess:
        """The metrics for Prometheus."""
        port = settings().prometheus_port
        return self._python(
            EXPORTER, ("analytics_worker.exporter",), partial(_answers, port, EXPORTER_HEALTH)
        )

    def worker(self, pools: Sequence[str]) -> SupervisedProcess:
        """One worker for all pools, with a log file per pool and one for its other output."""
        chosen = [part for pool in pools for part in ("--pool", pool)]
        options = ("--log-dir", str(self._log_dir), "--drain-seconds", str(DRAIN_SECONDS))
        service = self._python(
            WORKER,
            ("analytics_worker.cli", "worker", *chosen, *options),
            partial(workers_poll, client_host(listen_host()), self._port, self._environment, pools),
        )
        service.stop_seconds = DRAIN_SECONDS + 3
        return service

    def _python(
        self,
        name: str,
        command: tuple[str, ...],
        is_ready: Callable[[datetime], bool],
        added: Mapping[str, str] = {},
    ) -> SupervisedProcess:
        variables = {**added, **self._environment}
        program = Program(command, variables, project_root(), makes_requests=name == WORKER)
        started = datetime.now(UTC)

        async def start_clock() -> None:
            nonlocal started
            started = datetime.now(UTC)

        return SupervisedProcess(
            name,
            lambda: self._base.start(program),
            lambda: run_in_daemon_thread(lambda: is_ready(started)),
            self._log(name),
            self._say,
            self._changed,
            prepare=start_clock,
            check_seconds=0.3,
        )

    def _log(self, name: str) -> LogFile:
        return LogFile(self._log_dir / f"{name}.log", self._say)


def _answers(port: int, path: str, _started: datetime, host: str = HOST) -> bool:
    """Whether something of this host answers there that all is well."""
    return request_problem(host, port, path, ANSWER_SECONDS) is None
