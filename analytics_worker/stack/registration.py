"""Prepare the stack's own server before the workers start.

Writes pools, blocks, deployments, and Crashed states for runs that no worker executes any more. Safe to
repeat: a second time changes nothing.
"""

from collections import Counter
from functools import lru_cache

from prefect import get_client

from analytics_worker.deployment.deploy import (
    DeploymentChange,
    DesiredState,
    deploy,
    desired_state,
)
from analytics_worker.stack.interrupted_runs import close_interrupted_runs


@lru_cache(maxsize=1)
def _desired_state() -> DesiredState:
    return desired_state()


def read_deployments() -> list[str]:
    """Import every flow, so that a mistake is named before the server is asked; return the names of the pools."""
    return [pool.name for pool in _desired_state().pools]


def close_runs() -> list[str]:
    """Close interrupted runs before a worker starts; how many there were, as a line if any."""
    with get_client(sync_client=True) as client:
        interrupted = close_interrupted_runs(client)
    lines = [f"{interrupted} runs that the last stop interrupted are now Crashed"]
    return lines if interrupted else []


def register() -> list[str]:
    """Deploy; what changed, as a line."""
    with get_client(sync_client=True) as client:
        return [summary(deploy(_desired_state(), client))]


def summary(changes: list[DeploymentChange]) -> str:
    """``5 pools created, 20 deployments unchanged``."""
    counted = Counter((change.kind, change.action) for change in changes)
    return ", ".join(
        f"{number} {kind}{'s' if number != 1 else ''} {action}"
        for (kind, action), number in counted.items()
    )
