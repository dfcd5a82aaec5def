"""Wait until another dbt run ends, visibly, up to DBT_LOCK_WAIT_SECONDS.

Reads the settings; writes log lines. Holds nothing while it waits.
"""

import threading
import time
from dataclasses import dataclass

from prefect import get_run_logger

from analytics_worker.settings import settings
from flows.dbt._failures import DbtProjectError

POLL_SECONDS = 1.0
LOG_SECONDS = 60.0


@dataclass
class Waiting:
    """How long a run has waited for other runs of dbt.

    Attributes:
        since: Start of the first wait, on the monotonic clock.
        next_log: Time of the next log line.
    """

    since: float | None = None
    next_log: float = 0.0

    def wait(self, reason: str, deadline: float | None) -> None:
        """Wait a moment, and log the reason once a minute.

        Args:
            reason: What the run waits for.
            deadline: End of the wait on the monotonic clock, if that is before the limit.

        Raises:
            DbtProjectError: the run has waited as long as it may.
        """
        now = time.monotonic()
        self.since = now if self.since is None else self.since
        limit = self.since + settings().dbt_lock_wait_seconds
        if now >= min(limit, limit if deadline is None else deadline):
            raise DbtProjectError(f"not started after waiting {now - self.since:.0f} s: {reason}")
        if now >= self.next_log:
            get_run_logger().warning(
                "Waiting for %.0f s (limit %s s): %s",
                now - self.since,
                settings().dbt_lock_wait_seconds,
                reason,
            )
            self.next_log = now + LOG_SECONDS
        threading.Event().wait(POLL_SECONDS)  # Prefect's timeout and cancellation interrupt it
