"""Whether each deployment works or fails, and since when, from the runs that ended.

Reads nothing, writes nothing: the ledger goes in and comes out. A streak begins with the first failed
run after a good one, and ends with the next good one; both are worth one notice. Skipped and cancelled
runs say nothing about whether a deployment works.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

SKIPPED = "Skipped"


@dataclass(frozen=True)
class End:
    """How one run of a deployment ended."""

    deployment: str
    run_id: UUID
    state_id: UUID
    ended_at: datetime
    name: str
    kind: str
    """COMPLETED, FAILED, CRASHED or CANCELLED."""
    message: str

    @property
    def verdict(self) -> Literal["ok", "failing"] | None:
        """What it says about its deployment."""
        if self.kind in {"FAILED", "CRASHED"}:
            return "failing"
        return "ok" if self.kind == "COMPLETED" and self.name != SKIPPED else None


@dataclass(frozen=True)
class Health:
    """One row of the ledger."""

    deployment: str
    status: Literal["ok", "failing"]
    since: datetime
    failures: int
    last_run_id: UUID
    last_ended_at: datetime
    last_state: str
    last_message: str
    notified_since: datetime | None = None
    """Start of the last failures that somebody was notified of."""


@dataclass(frozen=True)
class Turn:
    """A streak that began or ended; since when it lasts or lasted."""

    kind: Literal["failing", "recovered"]
    end: End
    failures: int
    since: datetime


def fold(known: dict[str, Health], ends: Iterable[End]) -> tuple[dict[str, Health], list[Turn]]:
    """The ledger after these runs, and what people are to be told."""
    ledger, turns = dict(known), list[Turn]()
    for end in sorted(ends, key=lambda end: end.ended_at):
        before = ledger.get(end.deployment)
        if end.verdict is None or (before and end.ended_at < before.last_ended_at):
            continue
        ledger[end.deployment], turn = _step(before, end, end.verdict)
        turns += [turn] if turn else []
    return ledger, turns


def _step(
    before: Health | None, end: End, verdict: Literal["ok", "failing"]
) -> tuple[Health, Turn | None]:
    fresh = Health(
        deployment=end.deployment,
        status=verdict,
        since=end.ended_at,
        failures=int(verdict == "failing"),
        last_run_id=end.run_id,
        last_ended_at=end.ended_at,
        last_state=end.name,
        last_message=end.message,
        notified_since=before.notified_since if before else None,
    )
    if before is not None and before.status == verdict:
        failures = before.failures + 1 if verdict == "failing" else 0
        return replace(fresh, since=before.since, failures=failures), None
    if verdict == "failing":
        return fresh, Turn("failing", end, 1, end.ended_at)
    if before is None:
        return fresh, None
    return fresh, Turn("recovered", end, before.failures, before.since)
