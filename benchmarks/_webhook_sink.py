"""Run a receiver of webhooks in a process of its own that counts the requests."""

import multiprocessing
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from tests.support.http_sink import HttpSink


class WebhookSink:
    """The receiver, for the measuring process."""

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe
        self.url: str = pipe.recv()

    def wait(self, expected: int) -> None:
        """Wait until so many have arrived since the last call."""
        self._pipe.send(expected)
        arrived = self._pipe.recv()
        assert arrived == expected, f"{arrived} of {expected} webhooks"


@contextmanager
def webhook_sink() -> Generator[WebhookSink]:
    """Run a receiver."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_receive, args=(there,), daemon=True)
    process.start()
    try:
        yield WebhookSink(here)
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
