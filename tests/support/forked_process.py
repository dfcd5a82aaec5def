"""Fork processes from one that has imported everything, with the environment of the current test."""

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from typing import Any

from analytics_worker.settings import settings


@contextmanager
def run_forked(
    context: ForkServerContext, function: Callable[..., object], *arguments: Any
) -> Generator[BaseProcess]:
    """Call a function in a process of its own, which is killed at the end."""
    process = context.Process(target=_call, args=(dict(os.environ), function, arguments))
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join(timeout=30)
        process.close()


def _call(
    environment: dict[str, str], function: Callable[..., object], arguments: tuple[Any, ...]
) -> None:
    os.environ.clear()  # the fork server has the environment of the test that started it
    os.environ |= environment
    settings.cache_clear()
    function(*arguments)
