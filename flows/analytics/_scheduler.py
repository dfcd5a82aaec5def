"""Which view when: those behind it first, independent ones side by side, the longest first.

Reads and writes nothing itself; what it submits does.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from queue import Empty, Queue

from prefect import Task
from prefect.futures import PrefectFuture

from flows.analytics._refresh_log_store import Refresh, Skipped, ViewResult
from flows.analytics._views import View

UNCHANGED = "nothing that it reads changed"
LISTEN_SECONDS = 1  # between two chances for Prefect to stop a run in a thread


@dataclass
class Plan:
    """The views of a run, why each must be refreshed, and what became of it."""

    views: Sequence[View]
    reasons: dict[int, str | None]
    """By oid; None where a refresh would change nothing."""
    results: dict[int, ViewResult] = field(default_factory=dict)
    errors: dict[int, BaseException] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)

    def reason(self, view: View) -> str | None:
        """Why the view must be refreshed, now that those behind it are done; None to skip it."""
        refreshed = [self.label(oid) for oid in self._behind(view, "success")]
        again = f"refreshed: {', '.join(refreshed)}" if refreshed else None
        return self.reasons[view.oid] or again

    def is_blocked(self, view: View) -> bool:
        """Whether something behind the view failed; if so, it is skipped."""
        bad = [self.label(oid) for oid in sorted(view.depends_on) if oid in self._unavailable]
        if bad:
            self.skip(view, "skipped", f"it reads {', '.join(bad)}, which failed")
        return bool(bad)

    def skip(self, view: View, status: str, reason: str) -> None:
        """Take note that the view is not refreshed."""
        self.results[view.oid] = Refresh(reason=reason).result(view.label, "skipped")
        self.skipped.append(
            Skipped(
                schema_name=view.schema_name,
                view_name=view.view_name,
                oid=view.oid,
                status=status,
                reason=reason,
            )
        )

    def take(self, view: View, outcome: ViewResult | BaseException) -> None:
        """Take note of what a refresh came to."""
        if not isinstance(outcome, BaseException):
            self.results[view.oid] = outcome
            return
        self.errors[view.oid] = outcome
        message = (str(outcome).strip() or type(outcome).__name__).splitlines()[0]
        attempt = getattr(outcome, "attempt", None) or Refresh(reason=self.reason(view) or "")
        self.results[view.oid] = attempt.result(view.label, "failed", message)

    def label(self, oid: int) -> str:
        """Name of a view of this plan."""
        return next(view.label for view in self.views if view.oid == oid)

    def in_order(self) -> list[ViewResult]:
        """The results, in the order of the views."""
        return [self.results[view.oid] for view in self.views]

    @property
    def unchanged(self) -> int:
        """How many views need no refresh by themselves."""
        return sum(reason is None for reason in self.reasons.values())

    @property
    def _unavailable(self) -> set[int]:
        blocked = {row["oid"] for row in self.skipped if row["status"] == "skipped"}
        return blocked | self.errors.keys()

    def _behind(self, view: View, status: str) -> list[int]:
        done = self.results
        return [
            oid for oid in sorted(view.depends_on & done.keys()) if done[oid]["status"] == status
        ]


def carry_out(plan: Plan, task: Task[[View, str, int], ViewResult], parallelism: int) -> None:
    """Refresh what must be refreshed, at most so many views at a time."""
    views = {view.oid: view for view in plan.views}
    side_by_side = max(1, min(parallelism, len(plan.views) - plan.unchanged))
    sorter = TopologicalSorter({oid: view.depends_on & views.keys() for oid, view in views.items()})
    sorter.prepare()
    ready: deque[int] = deque()
    running: dict[PrefectFuture[ViewResult], View] = {}
    finished: Queue[PrefectFuture[ViewResult]] = Queue()
    while sorter.is_active():
        ready.extend(sorted(sorter.get_ready(), key=lambda oid: -views[oid].seconds))
        if ready and len(running) < parallelism:
            view = views[ready.popleft()]
            if future := _begin(plan, view, task, side_by_side):
                running[future] = view
                future.add_done_callback(finished.put)
            else:
                sorter.done(view.oid)
            continue
        future = _next(finished)
        view = running.pop(future)
        plan.take(view, future.result(raise_on_failure=False))
        sorter.done(view.oid)


def _begin(
    plan: Plan, view: View, task: Task[[View, str, int], ViewResult], side_by_side: int
) -> PrefectFuture[ViewResult] | None:
    if plan.is_blocked(view):
        return None
    reason = plan.reason(view)
    if reason is None:
        plan.skip(view, "unchanged", UNCHANGED)
        return None
    return task.submit(view, reason, side_by_side)


def _next(
    finished: "Queue[PrefectFuture[ViewResult]]",
) -> PrefectFuture[ViewResult]:
    while True:
        try:
            return finished.get(timeout=LISTEN_SECONDS)
        except Empty:
            continue
