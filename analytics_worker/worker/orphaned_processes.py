"""End the process of a run whose worker has ended.

SIGTERM alone is a crash to Prefect. So a child of this worker is first notified that a cancellation
follows, and gets SIGTERM only after it has acknowledged that: two signals at once are handled in any
order. Writes nothing.
"""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import anyio

from analytics_worker.process_identity import ProcessIdentity
from analytics_worker.worker.fork_server.flow_run_process import CANCELLATION_SIGNAL

TERMINATION_SECONDS = 10.0


async def cancel(process: ProcessIdentity, record: Path) -> None:
    """End the process and its group: politely, then not.

    Args:
        process: The run's; a command that Prefect started leads no session and no group.
        record: The file in which a child of a worker noted its identity.
    """
    is_ours = ProcessIdentity.read(record) == process
    if not is_ours or await _is_acknowledged(process):
        await _signal(process, signal.SIGTERM)
    await _signal(process, signal.SIGKILL)


async def _is_acknowledged(process: ProcessIdentity) -> bool:
    if process.is_alive():
        os.kill(process.pid, CANCELLATION_SIGNAL)
    return await _wait_until(lambda: process.ignores(CANCELLATION_SIGNAL) or not process.is_alive())


async def _signal(process: ProcessIdentity, number: signal.Signals) -> None:
    if process.is_alive():
        _send(process.pid, number)
        await _wait_until(lambda: not process.is_alive())


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        send = os.killpg if os.getpgid(pid) == pid else os.kill
        send(pid, number)


async def _wait_until(happened: Callable[[], bool]) -> bool:
    with anyio.move_on_after(TERMINATION_SECONDS):
        while not happened():  # noqa: ASYNC110  # no signal reports it: it is not our child
            await anyio.sleep(0.05)
    return happened()
