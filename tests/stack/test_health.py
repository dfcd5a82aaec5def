"""`analytics-worker health` and the reports to systemd: right while a service is alive, wrong when it is not."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from analytics_worker import systemd
from analytics_worker.stack.health import UnknownServiceError, container_service
from analytics_worker.worker.liveness import MAX_AGE_SECONDS
from tests.support.lone_server import LoneServer
from tests.support.notify_socket import NotifySocket
from tests.support.ports import free_port
from tests.support.processes import Process, our_worker
from tests.support.wait_until import wait_until

COMMAND = ["-c", "from analytics_worker.cli import main; main()"]
HEALTHY, UNHEALTHY = 0, 1


@pytest.fixture
def systemd_socket(tmp_path: Path) -> Iterator[NotifySocket]:
    with NotifySocket(tmp_path / "notify") as opened:
        yield opened


def health(service: str, code: int, **variables: str) -> str:
    """Check a service; what the command reports."""
    done = subprocess.run(
        [sys.executable, *COMMAND, "health", service],
        env=os.environ | {"HEALTH_CHECK_TIMEOUT_SECONDS": "2"} | variables,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def test_a_server_that_is_stopped_or_killed_is_unhealthy(
    tmp_path: Path, systemd_socket: NotifySocket
):
    with LoneServer(tmp_path / "server", **systemd_socket.variables) as server:
        where = {"PREFECT_SERVER_API_PORT": str(server.port)}
        wait_until(systemd_socket.is_ready_and_alive, timeout=60)
        assert health("server", HEALTHY, **where) == "server: ok\n"
        os.kill(server.pid, signal.SIGSTOP)
        assert "/api/ready does not answer" in health("server", UNHEALTHY, **where)
        os.kill(server.pid, signal.SIGCONT)
        wait_until(lambda: health("server", HEALTHY, **where), timeout=60)
        server.end(signal.SIGKILL)
        assert "Connection refused" in health("server", UNHEALTHY, **where)


def test_a_worker_that_is_stopped_or_killed_is_unhealthy(
    tmp_path: Path, systemd_socket: NotifySocket
):
    """It is alive while the API is unavailable: a restart would help nothing, and end its runs."""
    where = {"STATE_DIR": str(tmp_path / "state")}
    api = {"PREFECT_API_URL": f"http://127.0.0.1:{free_port()}/api"}
    assert "no worker was started" in health("worker", UNHEALTHY, **where)
    worker = our_worker("any", where | api | systemd_socket.variables, tmp_path / "log")
    with worker:
        wait_until(systemd_socket.is_ready_and_alive, timeout=60)
        assert health("worker", HEALTHY, **where) == "worker: ok\n"
        os.kill(worker.pid, signal.SIGSTOP)
        age_reports(tmp_path / "state/worker")
        assert f"is stuck: process {worker.pid}" in health("worker", UNHEALTHY, **where)
        worker.end(signal.SIGKILL)
        assert "was killed" in health("worker", UNHEALTHY, **where)
        worker.start()
        wait_until(lambda: "ok" in health_or_not("worker", **where), timeout=60, interval=0.5)
        worker.end()
        assert "STOPPING=1" in systemd_socket.states()
    assert "no worker was started" in health("worker", UNHEALTHY, **where)


def health_or_not(service: str, **variables: str) -> str:
    """Check a service without expecting anything."""
    try:
        return health(service, HEALTHY, **variables)
    except AssertionError:
        return ""


def age_reports(folder: Path) -> None:
    """Make the last report older than it may be; the worker, which is stopped, touches it no more."""
    (report,) = folder.glob("*.alive")
    old = time.time() - MAX_AGE_SECONDS - 1
    os.utime(report, (old, old))


def test_an_exporter_that_is_killed_is_unhealthy(tmp_path: Path, systemd_socket: NotifySocket):
    where = {"STATE_DIR": str(tmp_path), "PROMETHEUS_PORT": str(free_port())}
    api = {"PREFECT_API_URL": f"http://127.0.0.1:{free_port()}/api"}
    command = [*COMMAND, "exporter"]
    with Process(command, where | api | systemd_socket.variables, tmp_path / "log") as exporter:
        wait_until(systemd_socket.is_ready_and_alive, timeout=60)
        assert health("exporter", HEALTHY, **where) == "exporter: ok\n"
        exporter.end(signal.SIGKILL)
        assert "/health does not answer" in health("exporter", UNHEALTHY, **where)


@pytest.mark.parametrize(
    ("words", "service"),
    [
        (["python", "/app/.venv/bin/analytics-worker", "worker", "--pool", "dbt"], "worker"),
        (["/sbin/docker-init", "--", "analytics-worker", "exporter"], "exporter"),
        (["/app/.venv/bin/python", "-m", "analytics_worker.server", "4200"], "server"),
        (
            ["/app/.venv/bin/python", "-m", "analytics_worker.stack.server_process", "4200"],
            "server",
        ),
        (["python", "/app/.venv/bin/analytics-worker", "up"], "up"),
        (["/pause"], None),
        (["python", "analytics-worker", "server\udcff"], None),
    ],
)
def test_a_container_is_checked_by_its_first_process(
    tmp_path: Path, words: list[str], service: str | None
):
    file = tmp_path / "cmdline"
    file.write_bytes(b"".join(word.encode(errors="surrogateescape") + b"\0" for word in words))
    if service is None:
        with pytest.raises(UnknownServiceError, match="name the service to check: server"):
            container_service(file)
    else:
        assert container_service(file) == service


def test_reports_reach_an_abstract_socket_and_a_missing_one_is_no_error(
    monkeypatch: pytest.MonkeyPatch,
):
    name = f"analytics-worker-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(f"\0{name}")
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        systemd.notify(systemd.READY, systemd.ALIVE)
        assert receiver.recv(100) == b"READY=1\nWATCHDOG=1"
    systemd.notify(systemd.READY)


@pytest.mark.parametrize(
    ("microseconds", "pid", "seconds"),
    [
        ("3000000", "", 1.0),
        ("3000000", "1", systemd.DEFAULT_SECONDS),
        ("0", "", systemd.DEFAULT_SECONDS),
        ("soon", "", systemd.DEFAULT_SECONDS),
        ("9000000000", "", systemd.DEFAULT_SECONDS),
    ],
)
def test_reports_are_as_frequent_as_systemd_asks(
    monkeypatch: pytest.MonkeyPatch, microseconds: str, pid: str, seconds: float
):
    monkeypatch.setenv("WATCHDOG_USEC", microseconds)
    monkeypatch.setenv("WATCHDOG_PID", pid or str(os.getpid()))
    assert systemd.report_seconds() == seconds
