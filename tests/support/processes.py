"""Real Prefect servers and real workers as processes, to be stopped, killed and started again."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from tests.support.ports import free_port
from tests.support.wait_until import wait_until

ROOT = Path(__file__).resolve().parents[2]


class Process:
    """A child process whose output goes to a file."""

    def __init__(
        self,
        arguments: list[str],
        environment: Mapping[str, str],
        log: Path,
        within: Sequence[str] = (),
    ) -> None:
        """Set what to run, and the command that runs it somewhere else; nothing runs yet."""
        self._command = [*within, sys.executable, *arguments]
        self._environment = dict(environment)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id of the running process."""
        assert self._process is not None, "it was not started"
        return self._process.pid

    def start(self) -> None:
        """Start it (again)."""
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                env=os.environ | self._environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                start_new_session=True,
            )

    def ended(self) -> int | None:
        """Exit code, or None while it runs."""
        assert self._process is not None
        return self._process.poll()

    def end(self, how: signal.Signals = signal.SIGTERM, timeout: float = 40) -> None:
        """Signal the process and wait for its end; no effect when it is not running."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(how)
        self._process.wait(timeout)

    def output(self) -> str:
        """Everything it printed."""
        return self._log.read_text(errors="replace")

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Kill."""
        self.end(signal.SIGKILL)


class Server(Process):
    """The product's Prefect server on a port of its own; data below ``home`` (or PostgreSQL)."""

    def __init__(
        self, home: Path, module: str = "analytics_worker.server", **settings: str
    ) -> None:
        """Choose port and folder."""
        self.port = free_port()
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        environment = {
            "PREFECT_HOME": str(home),
            "PREFECT_SERVER_LOG_RETRYABLE_ERRORS": "true",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            **settings,
        }
        super().__init__(["-m", module, str(self.port)], environment, home / "server.log")

    def copy_database(self, home: Path) -> None:
        """Give another server's folder a copy of the database, which spares it the migrations."""
        home.mkdir(parents=True, exist_ok=True)
        with (
            closing(sqlite3.connect(self.home / "prefect.db")) as source,
            closing(sqlite3.connect(home / "prefect.db")) as target,
        ):
            source.backup(target)

    @property
    def api_url(self) -> str:
        """What clients set as PREFECT_API_URL."""
        return f"http://127.0.0.1:{self.port}/api"

    def start(self) -> None:
        """Start and wait until it answers."""
        super().start()
        try:
            wait_until(self._answers, timeout=200, interval=0.1)
        except BaseException:
            self.end(signal.SIGKILL)
            raise

    def _answers(self) -> bool:
        assert self.ended() is None, self.output()[-2000:]
        try:
            return httpx.get(f"{self.api_url}/health", timeout=2).is_success
        except httpx.TransportError:
            return False


def stock_worker(pool: str, environment: Mapping[str, str], log: Path) -> Process:
    """Prefect's own process worker."""
    arguments = ["-m", "prefect", "worker", "start", "--pool", pool, "--name", f"stock-{pool}"]
    return Process(arguments, {"PREFECT_WORKER_QUERY_SECONDS": "1", **environment}, log)


def our_worker(
    pool: str,
    environment: Mapping[str, str],
    log: Path,
    *options: str,
    within: Sequence[str] = (),
) -> Process:
    """The product's worker."""
    command = [
        "-c",
        "from analytics_worker.cli import main; main()",
        "worker",
        "--pool",
        pool,
        *options,
    ]
    return Process(command, environment, log, within)


def wait_for_exit(pid: int, timeout: float = 20) -> None:
    """Wait until no process of that id exists."""
    deadline = time.monotonic() + timeout
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline, f"process {pid} still exists"
        time.sleep(0.05)
