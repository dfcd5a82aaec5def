"""Limit the run time of a sender. Reads the clock, writes nothing."""

import time
from datetime import timedelta

MAX_PACING_SECONDS = 60.0
"""How long a sender without a budget waits for the rate of a channel in total."""


class Deadline:
    """The time until which a sender claims messages, and waits for the rate of a channel."""

    def __init__(self, budget: timedelta | None) -> None:
        self._start = time.monotonic()
        self._budget = budget.total_seconds() if budget else None

    def is_over(self) -> bool:
        """Whether the budget is used up."""
        return self._budget is not None and time.monotonic() - self._start >= self._budget

    def allows(self, wait_seconds: float) -> bool:
        """Whether there is time to wait so long."""
        limit = MAX_PACING_SECONDS if self._budget is None else self._budget
        return time.monotonic() - self._start + wait_seconds <= limit
