"""Claim as many runs in one turn as the server answers for in time.

Reads how long the server takes. What is not claimed stays in the queue, unclaimed and unlabeled: a claim that
is begun and not answered in time would have to be repeated, which slows the server down further.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from analytics_worker.worker.claim_lock import ClaimLock

FIRST_BATCH = 16
"""Runs that are claimed at a time, at first."""
FAST_BATCH_SECONDS = 1.0
CLAIM_REQUESTS = 3
"""Requests that follow each other to claim a run."""


async def claim_in_batches(
    due: Sequence[Any],
    lock: ClaimLock,
    claim: Callable[[Sequence[Any], ClaimLock], Awaitable[None]],
) -> Sequence[Any]:
    """Claim runs while the lock may be used; return those that are left for another turn."""
    size, expected = FIRST_BATCH, CLAIM_REQUESTS * lock.answer_seconds
    while due and time.monotonic() + expected < lock.expires_at:
        started = time.monotonic()
        await claim(due[:size], lock)
        due = due[size:]
        took = time.monotonic() - started
        expected = 2 * took
        size = 2 * size if took < FAST_BATCH_SECONDS else max(1, size // 2)
    return due
