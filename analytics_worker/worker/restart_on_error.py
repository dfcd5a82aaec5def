"""Keep a part of the worker going. Reads and writes nothing."""

import asyncio
from collections.abc import Awaitable, Callable

from prefect.logging import get_logger

RESTART_SECONDS = 5.0

logger = get_logger("worker")


async def restart_on_error(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Do the work again when it fails: the other parts, and the runs in progress, go on."""
    while True:
        try:
            await work()
        except Exception:
            logger.exception("%s failed and is started again", name)
        await asyncio.sleep(RESTART_SECONDS)
