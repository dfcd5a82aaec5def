"""When a source is polled next. Reads and writes nothing."""

QUIET_FACTOR = 6
"""Intervals between two polls while nothing is in progress and changes are announced."""
STORED_SECONDS = 2.0
"""What an event announces can be read by then: the server stores runs of tasks once a second."""


class PollSchedule:
    """Polls at an interval; while it is quiet, at a longer one and an interval after an announcement."""

    def __init__(self, every_seconds: float) -> None:
        self._every = every_seconds
        self._began = float("-inf")
        self._first = self._last = float("-inf")

    def announce(self, now: float) -> None:
        """Something happened, and is about to be stored."""
        if not self._is_outstanding():
            self._first = now
        self._last = now

    def begin(self, now: float) -> None:
        """A poll begins; it may miss what was announced just before."""
        self._began, self._first = now, self._last

    def due_at(self, *, is_quiet: bool) -> float:
        """Return the time of the next poll."""
        if is_quiet and not self._is_outstanding():
            return self._began + self._every * QUIET_FACTOR
        return (max(self._first, self._began) if is_quiet else self._began) + self._every

    def _is_outstanding(self) -> bool:
        """Whether no poll shows what was announced."""
        return self._first > self._began - STORED_SECONDS
