"""Prepare the stack's own server before the workers start.

Writes pools, blocks, deployments, and Crashed states for runs that no worker executes any more. Safe to
repeat: a second time changes nothing.
"""

from collections import Counter

from prefect import get_client

from analytics_worker.deployment.deploy import DeploymentChange, DesiredState, deploy
from analytics_worker.stack.interrupted_runs import close_interrupted_runs


def register(state: DesiredState) -> list[str]:
    """Close interrupted runs and deploy; what changed, as lines."""
    with get_client(sync_client=True) as client:
        interrupted = close_interrupted_runs(client)
        changes = deploy(state, client)
    lines = [f"{interrupted} runs that the last stop interrupted are now Crashed"]
    return [*(lines if interrupted else []), summary(changes)]


def summary(changes: list[DeploymentChange]) -> str:
    """``5 pools created, 20 deployments unchanged``."""
    counted = Counter((change.kind, change.action) for change in changes)
    return ", ".join(
        f"{number} {kind}{'s' if number != 1 else ''} {action}"
        for (kind, action), number in counted.items()
    )
