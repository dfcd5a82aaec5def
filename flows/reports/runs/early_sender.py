"""Send messages while further reports are generated: each leaves when it is ready.

Reads and writes the outbox. What it can't send is left to the sender at the end of the flow run, which also
raises the errors.
"""

import logging
import threading
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import copy_context

from analytics_worker.delivery import DeliveryCounts, deliver_due
from flows.reports.runs.delivery import SEND_BUDGET

_log = logging.getLogger(__name__)


class EarlySender:
    """A thread that sends what is due whenever a report is ready."""

    def __init__(self) -> None:
        self.counts: list[DeliveryCounts] = []
        """Of each time that it sent."""
        self._wake = threading.Event()
        self._is_ending = False
        self._thread: threading.Thread | None = None

    def report_ready(self) -> None:
        """Send what is due now, without waiting for it."""
        self._wake.set()
        if self._thread is None:
            context = copy_context()
            self._thread = threading.Thread(
                target=lambda: context.run(self._send), name="early sender", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """End the thread after what it is sending, without waiting for it."""
        self._is_ending = True
        self._wake.set()

    def end(self) -> None:
        """Wait until it has sent what was due."""
        self.stop()
        if self._thread is not None:
            self._thread.join()

    def _send(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            if self._is_ending:
                return
            try:
                self.counts.append(deliver_due("reports", budget=SEND_BUDGET))
            except Exception as error:  # noqa: BLE001  # the sender at the end raises it
                _log.warning("could not send reports: %s", type(error).__name__)


@contextmanager
def early_sender() -> Generator[EarlySender]:
    """Send in a thread, and wait for it at the end unless an error ends the flow run."""
    sender = EarlySender()
    try:
        yield sender
    except BaseException:
        sender.stop()
        raise
    sender.end()
