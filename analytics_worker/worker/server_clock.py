"""Judge by the Prefect server's clock what is due, and claim nothing while this host's differs too much.

A worker whose clock is ahead would claim runs of later, and skip those in between as superseded. Reads the dates of
the answers that the worker gets anyway; writes nothing.
"""

import socket
import time
from collections import deque
from datetime import UTC, datetime
from typing import NamedTuple

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.logging import get_logger

from analytics_worker.prefect_support.clock_difference import (
    MAX_SECONDS,
    WARN_SECONDS,
    seconds_ahead,
)
from analytics_worker.worker.prefect_internals import add_request_hooks

ANSWERS = 3
"""The best of the last ones counts: one server of several may be wrong, and an answer may be old."""
MARGIN_SECONDS = 3.0
"""How far a difference falls below its limit before it counts as ended."""
HOST = socket.gethostname()
FIX = "Let NTP set both clocks; `timedatectl` shows whether it does."
SENT = "analytics_worker.sent"
QUICK_SECONDS = 10.0
"""An answer that took longer may have been dated long before: the server was stopped, or its host suspended."""
CERTAIN_ANSWERS = 2
"""Answers of different dates; for up to a second after it was stopped, a server sends the date of before."""

logger = get_logger("worker.clock")


class _Answer(NamedTuple):
    """What the answers of one date show."""

    date: str
    ahead: float
    """Seconds by which this host's clock was ahead."""
    server_boot: float
    """When this host was booted, by the server's clock."""


class ServerClock:
    """The clock of the Prefect server, as far as its answers show it; this host's clock before the first one."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._answers: deque[_Answer] = deque(maxlen=ANSWERS)
        self._exceeded = 0.0
        """The highest limit that the difference exceeds."""

    @property
    def fits(self) -> bool:
        """Whether the clocks agree well enough to claim runs."""
        return max(self._exceeded, abs(self.seconds_ahead)) < MAX_SECONDS

    @property
    def seconds_ahead(self) -> float:
        """How far this host's clock is ahead; 0 unless a difference is certain."""
        return self._best().ahead

    def time(self) -> float:
        """Return the server's time in seconds since 1970, also when this host's clock was set meanwhile."""
        return _uptime() + self._best().server_boot

    def now(self) -> datetime:
        """Return the server's time."""
        return datetime.fromtimestamp(self.time(), UTC)

    def follow(self, client: PrefectClient) -> None:
        """Read the dates of all answers that the client gets."""
        add_request_hooks(client, self._note_sent, self._read)

    def _best(self) -> "_Answer":
        own = _Answer("", 0.0, time.time() - _uptime())
        return min(reversed(self._answers), key=lambda answer: abs(answer.ahead), default=own)

    async def _note_sent(self, request: httpx.Request) -> None:
        request.extensions[SENT] = time.time()

    async def _read(self, response: httpx.Response) -> None:
        sent, date = response.request.extensions.get(SENT), response.headers.get("date")
        if sent is None or date is None or not response.is_success or "age" in response.headers:
            return  # the date may be another's: of a load balancer, or of an earlier answer
        now = time.time()
        ahead = seconds_ahead(date, sent, now) if now - sent <= QUICK_SECONDS else None
        if ahead is not None:
            self._add(_Answer(date, ahead, now - ahead - _uptime()))

    def _add(self, answer: _Answer) -> None:
        """Keep the best of each date; a difference is certain, and logged, when answers of two dates show it."""
        if self._answers and self._answers[-1].date == answer.date:
            answer = min(self._answers.pop(), answer, key=lambda each: abs(each.ahead))
        self._answers.append(answer)
        if len(self._answers) >= CERTAIN_ANSWERS:
            self._log_changes()

    def _log_changes(self) -> None:
        before, seconds = self._exceeded, abs(self.seconds_ahead)
        limits = (
            limit
            for limit in (WARN_SECONDS, MAX_SECONDS)
            if seconds > limit - MARGIN_SECONDS * (limit <= before)
        )
        self._exceeded = max(limits, default=0.0)
        if self._exceeded == MAX_SECONDS != before:
            logger.error("%s: no runs are claimed until it fits. %s", self._difference(), FIX)
        elif before == MAX_SECONDS != self._exceeded:
            logger.info("The clock of this host (%s) fits again: runs are claimed", HOST)
        elif self._exceeded > before:
            logger.warning(
                "%s: from %.0f s no runs are claimed. %s", self._difference(), MAX_SECONDS, FIX
            )

    def _difference(self) -> str:
        direction = "ahead of" if self.seconds_ahead > 0 else "behind"
        seconds = abs(self.seconds_ahead)
        return (
            f"The clock of this host ({HOST}) is {seconds:.0f} s {direction} the Prefect server's"
        )


def _uptime() -> float:
    """Return the seconds since the boot of this host, which setting the clock does not change."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
