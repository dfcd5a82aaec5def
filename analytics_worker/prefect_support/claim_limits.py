"""The concurrency limit with which the workers of a pool take turns to claim its runs.

Reads and writes nothing; `analytics-worker deploy` creates the limits, and a worker those that are missing.
"""

from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate

DECAY_SECONDS = 20.0


def name_of(pool: str) -> str:
    """Return the name of the limit of this pool."""
    return f"claims-of-{pool}"


def claim_limit(pool: str) -> GlobalConcurrencyLimitCreate:
    """Return the limit: one slot, which is free again if its owner dies."""
    return GlobalConcurrencyLimitCreate(
        name=name_of(pool), limit=1, slot_decay_per_second=1 / DECAY_SECONDS
    )
