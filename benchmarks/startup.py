"""`analytics-worker up` with the environment in place: until all pools are online, data kept."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks._table import Row
from tests.support.ports import free_port

ROUNDS = 3
ONLINE = re.compile(r"online after (?P<seconds>[\d.]+) s")


def measure() -> list[Row]:
    """The first start makes the database; the others continue with it."""
    with TemporaryDirectory() as directory:
        first, *later = [_start(directory) for _ in range(ROUNDS)]
    return [
        Row("make up, first start, until all pools are online", first, "s", goal="≤ 12 s"),
        Row("make up again, until all pools are online", min(later), "s", goal="≤ 6 s"),
    ]


def _start(directory: str) -> float:
    port = str(free_port())
    environment = {
        **os.environ,
        "STATE_DIR": f"{directory}/state",
        "LOG_DIR": f"{directory}/logs",
        "PREFECT_SERVER_API_PORT": port,
        "PROMETHEUS_PORT": str(free_port()),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
    }
    command = [str(Path(sys.executable).parent / "analytics-worker"), "up", "--no-pipeline"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        for line in process.stdout:
            if match := ONLINE.search(line):
                return float(match["seconds"])
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    raise RuntimeError(
        f"the stack ended with {process.returncode} after {time.process_time():.0f} s"
    )
