"""Run a Celery worker with Redis, in an environment of its own."""

import json
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import psutil
from sqlalchemy import URL

from analytics_worker.database.connections import reader_url, warehouse_url
from benchmarks._other_environment import environment_python, running
from tests.support.redis_server import RedisServer

WORKERS = 4  # as many as the pool of alerts has


class CeleryWorker:
    """A running worker, and a process that queues its evaluations."""

    def __init__(self, worker: "subprocess.Popen[bytes]", queue: "subprocess.Popen[bytes]") -> None:
        self.root = psutil.Process(worker.pid)
        self._queue = queue

    def evaluate(self) -> None:
        """Queue one evaluation of all rules."""
        self._send_command("process_pending_alerts")

    def refresh_catalog(self, **parameters: Any) -> tuple[float, int]:
        """Return the seconds from queuing a refresh until its result, and the number of relations."""
        self._send_command("refresh_catalog", **parameters)
        assert self._queue.stdout
        seconds, relations = json.loads(self._queue.stdout.readline())
        return seconds, relations

    def _send_command(self, task: str, **parameters: Any) -> None:
        assert self._queue.stdin
        self._queue.stdin.write(json.dumps([task, parameters]).encode() + b"\n")
        self._queue.stdin.flush()


@contextmanager
def celery_worker(sink_url: str = "") -> Generator[CeleryWorker]:
    """Run a worker until the block ends, with the database of the settings."""
    python = environment_python("celery")
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
    """Return the URL in Celery's syntax."""
    return server.url.replace("unix://", "redis+socket://")


def _libpq(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)
