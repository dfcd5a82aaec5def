"""Define how many failures open each breaker of this project, and when it is probed.

Reads nothing, writes nothing.
"""

from typing import NamedTuple


class Limits(NamedTuple):
    """The limits at which a breaker opens and closes; durations in seconds."""

    fail_max: int
    reset_timeout: float
    success_threshold: int
    probe_lease: float


class FailureLimits(NamedTuple):
    """So many consecutive failures open a breaker, for so many seconds."""

    fail_max: int
    reset_timeout: float


DATABASE_LIMITS = FailureLimits(fail_max=5, reset_timeout=60)
DBT_LIMITS = FailureLimits(fail_max=3, reset_timeout=120)
EXTERNAL_SERVICE_LIMITS = FailureLimits(fail_max=3, reset_timeout=120)
