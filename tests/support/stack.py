"""A whole stack for tests: `analytics-worker up` as a process of its own, in a folder of its own.

Ends every process it started, by its id, also when a test failed.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from analytics_worker.stack.state_dir import MARKER, StackRecord, StateFolder
from tests.support.ports import free_port
from tests.support.wait_until import wait_until

COMMAND = [sys.executable, "-c", "from analytics_worker.cli import main; main()"]
SMALL = ("--no-pipeline", "--sample-opportunities", "200")
DEADLINE_SECONDS = 120


@dataclass
class RunningStack:
    """One `analytics-worker up` and what is needed to talk to it."""

    state_dir: Path
    port: int = field(default_factory=free_port)
    metrics_port: int = field(default_factory=free_port)
    variables: dict[str, str] = field(default_factory=dict[str, str])
    process: subprocess.Popen[str] | None = None

    @property
    def environment(self) -> dict[str, str]:
        own = {
            "STATE_DIR": str(self.state_dir),
            "LOG_DIR": str(self.state_dir / "logs"),
            "PREFECT_SERVER_API_PORT": str(self.port),
            "PROMETHEUS_PORT": str(self.metrics_port),
        }
        inherited = {k: v for k, v in os.environ.items() if k != "PREFECT_HOME"}
        return inherited | own | self.variables

    @property
    def output(self) -> str:
        return (self.state_dir.parent / "output").read_text()

    @property
    def record(self) -> StackRecord | None:
        return StateFolder(self.state_dir).read()

    @property
    def login(self) -> str | None:
        """What the server asks for; None if it asks for nothing."""
        file = self.state_dir / "login"
        return file.read_text().strip() if file.exists() else None

    @property
    def api(self) -> dict[str, str]:
        """What Prefect's own clients need to know."""
        url = {"PREFECT_API_URL": f"http://127.0.0.1:{self.port}/api"}
        return url | ({"PREFECT_API_AUTH_STRING": self.login} if self.login else {})

    def pid(self, component: str) -> int | None:
        record = self.record
        pids = {c.name: c.pid for c in record.components if c.ready} if record else {}
        return pids.get(component)

    def start(self, *options: str) -> None:
        """Start it and wait until it is ready."""
        self.launch(*(options or SMALL))
        wait_until(self._ready_or_ended, DEADLINE_SECONDS)
        assert self.process
        assert self.process.poll() is None, self.output

    def launch(self, *options: str) -> None:
        with (self.state_dir.parent / "output").open("w") as file:
            self.process = subprocess.Popen(
                [*COMMAND, "up", *options],
                stdout=file,
                stderr=subprocess.STDOUT,
                text=True,
                env=self.environment,
                start_new_session=True,
            )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another command against the same folder."""
        return subprocess.run(
            [*COMMAND, *arguments],
            capture_output=True,
            text=True,
            env=self.environment,
            check=False,
            timeout=DEADLINE_SECONDS,
        )

    def stop(self, number: signal.Signals = signal.SIGINT, seconds: float = 30) -> int:
        """Signal it and wait for its end; the exit code."""
        assert self.process
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(seconds)

    def processes(self) -> list[psutil.Process]:
        """Everything that carries this stack's folder in its environment."""
        processes: list[psutil.Process] = []
        for process in psutil.process_iter():
            try:
                variables = process.environ()
                if (
                    variables.get("STATE_DIR") == str(self.state_dir) and MARKER in variables
                ) or process.cwd().startswith(str(self.state_dir)):
                    processes.append(process)
            except psutil.Error:
                continue
        return processes

    def _ready_or_ended(self) -> bool:
        assert self.process
        return "\nready " in f"\n{self.output}" or self.process.poll() is not None


@pytest.fixture
def new_stack(tmp_path: Path) -> Iterator[RunningStack]:
    """A stack that the test starts itself."""
    stack = RunningStack(tmp_path / "state with space")
    yield stack
    if stack.process is not None:
        stack.stop(signal.SIGTERM)
    for process in stack.processes():
        process.kill()


@pytest.fixture(scope="module")
def running_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """One small stack for all tests of a module; they leave it running."""
    stack = RunningStack(tmp_path_factory.mktemp("stack") / "state with space")
    try:
        stack.start()
        yield stack
    finally:
        stack.stop(signal.SIGTERM)
