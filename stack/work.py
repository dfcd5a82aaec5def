"""A worker for one pool of the local stack: ``python -m stack.work POOL NAME``.

Prefect's process worker without its command line, which takes a second longer to import. Runs start
straight in Prefect's engine: the stock worker starts Python twice for each.
"""

import asyncio
import os
import sys
from typing import Any

from prefect.utilities.processutils import (
    command_to_string,
    get_sys_executable,
    setup_signal_handlers_worker,
)
from prefect.workers.process import ProcessJobConfiguration, ProcessWorker


class LocalJob(ProcessJobConfiguration):
    """A run in the environment that the worker itself runs in."""

    def prepare_for_flow_run(self, *args: Any, **kwargs: Any) -> None:
        """Name the engine's command, which spares the process that would look for it."""
        if self.command is None:
            self.command = command_to_string([get_sys_executable(), "-m", "prefect.engine"])
        super().prepare_for_flow_run(*args, **kwargs)


class LocalWorker(ProcessWorker):
    """Serves pools of type ``process`` on this host."""

    job_configuration = LocalJob

    async def _worker_metadata(self) -> None:
        """Spare the list of installed integrations: making it imports dbt, two CPU seconds."""

    @classmethod
    def __dispatch_key__(cls) -> str:
        """A key of our own: ``process`` stays Prefect's class."""
        return "process-local"


async def work(pool: str, name: str) -> None:
    """Poll the pool and run what is due until told to stop."""
    await LocalWorker(
        work_pool_name=pool, name=name, create_pool_if_not_found=False, heartbeat_interval_seconds=5
    ).start(printer=print)


def main() -> None:
    """Ends on SIGTERM and SIGINT when its runs have ended, on a second one at once."""
    pool, name = sys.argv[1:]
    setup_signal_handlers_worker(os.getpid(), f"worker {name}", print)
    try:
        asyncio.run(work(pool, name))
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
