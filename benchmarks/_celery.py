"""A Celery worker with a Redis, in an environment that is made once and kept below the state folder.

Writes ``.state/benchmarks/celery``. Safe to repeat: a finished environment is used again.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import URL

from analytics_worker.database.connections import reader_url, warehouse_url
from analytics_worker.settings import project_root
from tests.support.redis_server import RedisServer

REQUIREMENTS = Path(__file__).parent / "requirements-celery.txt"
WORKERS = 4  # as many as the pool of alerts has


class CeleryWorker:
    """A running worker, and a process that queues its evaluations."""

    def __init__(self, worker: "subprocess.Popen[bytes]", queue: "subprocess.Popen[bytes]") -> None:
        """Take over both."""
        self.root = psutil.Process(worker.pid)
        self._queue = queue

    def evaluate(self) -> None:
        """Queue one evaluation of all rules."""
        self._ask("process_pending_alerts")

    def refresh_catalog(self, **parameters: Any) -> tuple[float, int]:
        """Seconds from queuing a refresh until its result is here, and the relations it counted."""
        self._ask("refresh_catalog", **parameters)
        assert self._queue.stdout
        seconds, relations = json.loads(self._queue.stdout.readline())
        return seconds, relations

    def _ask(self, task: str, **parameters: Any) -> None:
        assert self._queue.stdin
        self._queue.stdin.write(json.dumps([task, parameters]).encode() + b"\n")
        self._queue.stdin.flush()


@contextmanager
def celery_worker(sink_url: str = "") -> Generator[CeleryWorker]:
    """A worker until the block ends; the settings say which database."""
    python = environment_python()
    with RedisServer() as redis:
        variables = {
            "BENCH_REDIS": redis_url(redis),
            "BENCH_WAREHOUSE": _libpq(warehouse_url()),
            "BENCH_READER": _libpq(reader_url()),
            "BENCH_SINK": sink_url,
        }
        module = "benchmarks._celery_app"
        worker = [python, "-m", "celery", "-A", module, "worker", "-Q", "alerts"]
        with (
            running([*worker, "-c", str(WORKERS), "-l", "ERROR"], variables) as serving,
            running([python, "-m", module], variables) as queue,
        ):
            assert queue.stdout
            assert queue.stdout.readline() == b"ready\n", "the Celery worker did not start"
            yield CeleryWorker(serving, queue)


def redis_url(server: RedisServer) -> str:
    """As Celery writes it."""
    return server.url.replace("unix://", "redis+socket://")


def _libpq(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


@contextmanager
def running(command: list[str], variables: dict[str, str]) -> Generator["subprocess.Popen[bytes]"]:
    """A program of that environment, until the block ends."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    process = subprocess.Popen(
        command,
        cwd=project_root(),
        env=kept | variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=30)


def environment_python() -> str:
    """Its Python; made anew when the requirements changed."""
    folder = project_root() / ".state" / "benchmarks" / "celery"
    python, mark = folder / "bin" / "python", folder / "requirements"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    if not mark.exists() or mark.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        install = [python, "-m", "pip", "install", "--quiet", "-r", REQUIREMENTS]
        subprocess.run(install, check=True)
        mark.write_text(wanted)
    return str(python)
