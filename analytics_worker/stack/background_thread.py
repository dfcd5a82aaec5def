"""Blocking work beside the event loop, in a thread that never keeps the process from ending.

Reads and writes nothing.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


async def run_in_daemon_thread(function: Callable[[], T]) -> T:
    """The function's value; asyncio.to_thread would wait for a stuck call when the loop closes."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(setter: Callable[[Any], None], value: Any) -> None:
        if not future.done():
            setter(value)

    def body() -> None:
        try:
            result = function()
        except BaseException as error:  # noqa: BLE001  # raised again where the value is awaited
            report = (future.set_exception, error)
        else:
            report = (future.set_result, result)
        with contextlib.suppress(RuntimeError):  # the loop is closed: no task waits for the result
            loop.call_soon_threadsafe(settle, *report)

    threading.Thread(target=body, daemon=True).start()
    return await future
