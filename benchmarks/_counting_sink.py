"""A receiver of web hooks in a process of its own, which counts what it got."""

import multiprocessing
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from tests.support.http_sink import HttpSink


class CountingSink:
    """The receiver as the measuring process sees it."""

    def __init__(self, pipe: Any) -> None:
        """Learn its address."""
        self._pipe = pipe
        self.url: str = pipe.recv()

    def wait(self, expected: int) -> None:
        """Until so many have arrived since the last time."""
        self._pipe.send(expected)
        arrived = self._pipe.recv()
        assert arrived == expected, f"{arrived} of {expected} web hooks"


@contextmanager
def counting_sink() -> Generator[CountingSink]:
    """A running receiver."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_receive, args=(there,), daemon=True)
    process.start()
    try:
        yield CountingSink(here)
    finally:
        here.send(0)
        process.join()


def _receive(pipe: Any) -> None:
    sink = HttpSink()
    sink.start()
    pipe.send(sink.url)
    while expected := pipe.recv():
        while len(sink.requests) < expected:
            time.sleep(0.001)
        pipe.send(len(sink.requests))
        sink.requests.clear()
    sink.stop()
