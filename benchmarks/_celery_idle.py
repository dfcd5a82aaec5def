"""Measure an idle Celery stack: a worker per queue, beat, Flower and Redis.

Same registry and concurrency as the worker. Checks that every worker executes a task before anything is
measured. Leaves nothing behind.
"""

import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass
from tempfile import TemporaryDirectory

import psutil

from benchmarks._celery import redis_url
from benchmarks._other_environment import environment_python, running
from tests.support.ports import free_port
from tests.support.redis_server import RedisServer

CONCURRENCY = {"analytics": 2, "dbt": 1, "alerts": 4, "reports": 2, "monitoring": 1}
MODULE = "benchmarks._celery_registry"
SETTLE_SECONDS, MEASURED_SECONDS = 5.0, 10.0
ONE_TASK_PER_QUEUE = """
from benchmarks._celery_registry import REGISTRY, app
results = [app.send_task(f"{module}.{names[0]}") for module, names in REGISTRY.items()]
print([result.get(timeout=60) for result in results].count("done"))
"""


@dataclass(frozen=True)
class IdleUsage:
    """Memory and CPU of an idle stack."""

    pss_mb: float
    cpu_percent: float


def idle_celery() -> IdleUsage:
    """Start the stack, check each worker, let it settle, and measure."""
    with ExitStack() as stack:
        redis = stack.enter_context(RedisServer())
        folder = stack.enter_context(TemporaryDirectory())
        variables = {"BENCH_REDIS": redis_url(redis)}
        celery = [environment_python("celery"), "-m", "celery", "-A", MODULE]
        commands = [
            [*celery, "worker", "-Q", queue, "-c", str(number), "-n", f"{queue}@%h", "-l", "ERROR"]
            for queue, number in CONCURRENCY.items()
        ]
        commands.append([*celery, "beat", "-s", f"{folder}/schedule", "-l", "ERROR"])
        commands.append([*celery, "flower", f"--port={free_port()}", "--address=127.0.0.1"])
        roots = [stack.enter_context(running(command, variables)).pid for command in commands]
        _check_workers(variables)
        time.sleep(SETTLE_SECONDS)
        return _measure([*roots, redis.pid])


def _check_workers(variables: dict[str, str]) -> None:
    output = subprocess.run(
        [environment_python("celery"), "-c", ONE_TASK_PER_QUEUE],
        env=variables,
        check=True,
        capture_output=True,
        text=True,
    )
    assert output.stdout.split() == [str(len(CONCURRENCY))], output.stdout


def _measure(pids: list[int]) -> IdleUsage:
    roots = map(psutil.Process, pids)
    processes = [p for root in roots for p in (root, *root.children(recursive=True))]
    before = sum(sum(p.cpu_times()[:2]) for p in processes)
    time.sleep(MEASURED_SECONDS)
    used = sum(sum(p.cpu_times()[:2]) for p in processes) - before
    pss = sum(p.memory_full_info().pss for p in processes)
    return IdleUsage(pss / 1e6, used * 100 / MEASURED_SECONDS)
