"""Keep a part of the worker going. Reads and writes nothing."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable

import httpx
from prefect.logging import get_logger

from analytics_worker.prefect_support.api_problems import api_problem

RESTART_SECONDS, MAX_RESTART_SECONDS = 5.0, 60.0
UNAVAILABLE = (httpx.HTTPError, OSError, json.JSONDecodeError)
"""What an API that does not answer, or a proxy that answers in its place, raises."""

logger = get_logger("worker")


async def restart_on_error(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Do the work again when it fails: the other parts, and the runs in progress, go on."""
    pause = RESTART_SECONDS
    while True:
        started = time.monotonic()
        try:
            await work()
        except Exception as error:  # noqa: BLE001  # of any kind
            _log(name, error)
        is_new = time.monotonic() - started > MAX_RESTART_SECONDS
        pause = RESTART_SECONDS if is_new else pause
        await asyncio.sleep(pause)
        pause = min(pause * 2, MAX_RESTART_SECONDS)


def _log(name: str, error: Exception) -> None:
    """Log an API that is not available in one line, and anything else with its traceback."""
    cause = error
    while isinstance(cause, ExceptionGroup) and len(cause.exceptions) == 1:
        cause = cause.exceptions[0]
    if isinstance(cause, UNAVAILABLE):
        logger.warning("%s failed and is started again: %s", name, api_problem(cause))
    else:
        logger.error("%s failed and is started again", name, exc_info=error)
