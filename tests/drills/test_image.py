"""The image of Containerfile: its size, its rights, and each service in it with a read-only root file system.

Takes some minutes: it makes a Debian, installs all packages, and runs the whole stack once.
"""

import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.image import Container, Image, skip_without_tools
from tests.support.ports import free_port
from tests.support.wait_until import wait_until

MAX_MEGABYTES = 700
FIRST_PROCESS = "cat /proc/1/status"
WRITES = (
    "for f in /x /app/x /etc/x /app/.venv/x; do touch $f && exit 9; done; touch /tmp/x $STATE_DIR/x"
)
COMPILERS = "for c in cc gcc c++ clang make; do command -v $c && exit 9; done; true"
pytestmark = pytest.mark.timeout(2400)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    skip_without_tools()
    built = Image(tmp_path_factory.mktemp("image"))
    try:
        built.build()
        yield built
    finally:
        built.remove()


def test_it_is_small_and_has_no_compiler(image: Image, tmp_path: Path):
    assert image.megabytes() <= MAX_MEGABYTES
    done = Container(image, tmp_path / "state").run("sh", "-c", COMPILERS)
    assert done.returncode == 0, done.stdout


def test_a_container_has_no_rights_and_writes_its_state_only(image: Image, tmp_path: Path):
    container = Container(image, tmp_path / "state")
    done = container.run("sh", "-c", WRITES)
    assert done.returncode == 0, done.stderr
    status = container.run("sh", "-c", FIRST_PROCESS).stdout
    assert "\nUid:\t10001\t" in status
    assert "\nCapBnd:\t0000000000000000" in status
    assert container.run("--version").stdout.startswith("analytics-worker ")


def test_doctor_names_what_is_missing(image: Image, tmp_path: Path):
    container = Container(image, tmp_path / "state", DATABASE_URL="postgresql://x@127.0.0.1:9/x")
    done = container.run("doctor", "--problems")
    assert done.returncode == 1
    assert "Connection refused" in done.stdout
    assert "tested" not in done.stdout  # the versions are those of the lock file
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("service", ["server", "worker", "exporter"])
def test_a_service_is_healthy_and_ends_in_order(image: Image, tmp_path: Path, service: str):
    where = {
        "PREFECT_SERVER_API_PORT": str(free_port()),
        "PROMETHEUS_PORT": str(free_port()),
        "PREFECT_API_URL": f"http://127.0.0.1:{free_port()}/api",
    }
    container = Container(image, tmp_path / "state", **where)
    process = container.start(tmp_path / "log", service)
    try:
        wait_until(lambda: container.health(process).returncode == 0, timeout=240, interval=1)
        assert container.health(process).stdout == f"{service}: ok\n"
        stop(process.pid)
        process.wait(timeout=90)
        assert "Traceback" not in (tmp_path / "log").read_text()
    finally:
        process.kill()


def test_the_whole_stack_runs_its_pipeline(image: Image, tmp_path: Path):
    """PostgreSQL, server, worker, exporter and dbt, all below the state folder."""
    ports = {"PREFECT_SERVER_API_PORT": str(free_port()), "PROMETHEUS_PORT": str(free_port())}
    container = Container(image, tmp_path / "state", SERVER_LOGIN="off", **ports)
    log = tmp_path / "log"
    process = container.start(log, "up", "--sample-opportunities", "300")
    try:
        wait_until(lambda: "\nready " in log.read_text(), timeout=600, interval=1)
        assert "13 models in" in log.read_text()
        assert container.health(process).stdout == "up: ok\n"
    finally:
        process.kill()
        process.wait(timeout=60)


def stop(pid: int) -> None:
    """Send SIGTERM to the first process of a container, as `docker stop` does."""
    psutil.Process(pid).children()[0].send_signal(signal.SIGTERM)
