"""Derive the health of each deployment, and since when, from the runs that ended.

Pure functions. A deployment starts to fail with the first failed run after a successful one, and recovers
with the next successful one. Skipped and cancelled runs do not change
the health of a deployment.

A run of dbt covers some nodes only: while a node fails that it did not run, it is no recovery.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

SKIPPED = "Skipped"


@dataclass(frozen=True)
class RunEnd:
    """The end of one run of a deployment."""

    deployment: str
    run_id: UUID
    state_id: UUID
    ended_at: datetime
    name: str
    kind: str
    """COMPLETED, FAILED, CRASHED or CANCELLED."""
    message: str
    failing_nodes: tuple[str, ...] = ()
    """Nodes of dbt that still fail, whether this run included them or not."""
    requested_at: datetime | None = None
    """When the run was due, if its request was lost with it; else None."""

    @property
    def status(self) -> Literal["ok", "failing"] | None:
        """Return the status that it gives its deployment; None if it does not affect it."""
        if self.kind in {"FAILED", "CRASHED"}:
            return "failing"
        is_success = self.kind == "COMPLETED" and self.name != SKIPPED
        return "ok" if is_success and not self.failing_nodes else None


@dataclass(frozen=True)
class DeploymentHealth:
    """The health of one deployment: a row of ``ops.deployment_health``."""

    deployment: str
    status: Literal["ok", "failing"]
    since: datetime
    failures: int
    last_run_id: UUID
    last_ended_at: datetime
    last_state: str
    last_message: str


@dataclass(frozen=True)
class HealthChange:
    """A deployment that started to fail or recovered, and when it started to fail."""

    kind: Literal["failing", "recovered"]
    end: RunEnd
    failures: int
    since: datetime


def apply_runs(
    before: dict[str, DeploymentHealth], ends: Iterable[RunEnd]
) -> tuple[dict[str, DeploymentHealth], list[HealthChange]]:
    """Return the health of each deployment after these runs, and the changes."""
    health, changes = dict(before), list[HealthChange]()
    for end in sorted(ends, key=lambda end: end.ended_at):
        previous = health.get(end.deployment)
        if end.status is None or (previous and end.ended_at < previous.last_ended_at):
            continue
        health[end.deployment], change = _next_health(previous, end, end.status)
        changes += [change] if change else []
    return health, changes


def _next_health(
    previous: DeploymentHealth | None, end: RunEnd, status: Literal["ok", "failing"]
) -> tuple[DeploymentHealth, HealthChange | None]:
    current = DeploymentHealth(
        deployment=end.deployment,
        status=status,
        since=end.ended_at,
        failures=int(status == "failing"),
        last_run_id=end.run_id,
        last_ended_at=end.ended_at,
        last_state=end.name,
        last_message=end.message,
    )
    if previous is not None and previous.status == status:
        failures = previous.failures + 1 if status == "failing" else 0
        return replace(current, since=previous.since, failures=failures), None
    if status == "failing":
        return current, HealthChange("failing", end, 1, end.ended_at)
    if previous is None:
        return current, None
    return current, HealthChange("recovered", end, previous.failures, previous.since)
