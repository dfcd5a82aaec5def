"""Schedule refreshes: dependencies first, independent views concurrently, the longest first.

Reads and writes nothing itself; the tasks that it submits do.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from queue import Empty, Queue

from prefect import Task
from prefect.futures import PrefectFuture

from flows.analytics._refresh_log_store import RefreshAttempt, Skipped, ViewResult
from flows.analytics._views import View

UNCHANGED = "no input changed"
POLL_SECONDS = 1  # how often Prefect can stop a run in a thread


@dataclass
class Plan:
    """The views of a run, why each must be refreshed, and the results."""

    views: Sequence[View]
    reasons: dict[int, str | None]
    """Reasons to refresh by oid; None if a refresh would change nothing."""
    results: dict[int, ViewResult] = field(default_factory=dict)
    errors: dict[int, BaseException] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)

    def reason(self, view: View) -> str | None:
        """Return why the view must be refreshed, given its finished dependencies; None to skip it."""
        refreshed = [self.label(oid) for oid in self._dependencies(view, "success")]
        dependency_reason = f"refreshed: {', '.join(refreshed)}" if refreshed else None
        return self.reasons[view.oid] or dependency_reason

    def skip_if_blocked(self, view: View) -> bool:
        """Skip the view if one of its dependencies failed; return whether it was skipped."""
        failed = [self.label(oid) for oid in sorted(view.depends_on) if oid in self._unavailable]
        if failed:
            self.skip(view, "skipped", f"it reads {', '.join(failed)}, which failed")
        return bool(failed)

    def skip(self, view: View, status: str, reason: str) -> None:
        """Record that the view is not refreshed."""
        self.results[view.oid] = RefreshAttempt(reason=reason).result(view.label, "skipped")
        self.skipped.append(
            Skipped(
                schema_name=view.schema_name,
                view_name=view.view_name,
                oid=view.oid,
                status=status,
                reason=reason,
            )
        )

    def add_result(self, view: View, result: ViewResult | BaseException) -> None:
        """Record the result or the error of a refresh."""
        if not isinstance(result, BaseException):
            self.results[view.oid] = result
            return
        self.errors[view.oid] = result
        message = (str(result).strip() or type(result).__name__).splitlines()[0]
        attempt = getattr(result, "attempt", None) or RefreshAttempt(reason=self.reason(view) or "")
        self.results[view.oid] = attempt.result(view.label, "failed", message)

    def label(self, oid: int) -> str:
        """Return the name of a view of this plan."""
        return next(view.label for view in self.views if view.oid == oid)

    def ordered_results(self) -> list[ViewResult]:
        """Return the results in the order of the views."""
        return [self.results[view.oid] for view in self.views]

    @property
    def unchanged(self) -> int:
        """Number of views without a reason of their own to be refreshed."""
        return sum(reason is None for reason in self.reasons.values())

    @property
    def up_to_date(self) -> int:
        """Number of views that were not refreshed because nothing would have changed."""
        return sum(row["status"] == "unchanged" for row in self.skipped)

    @property
    def _unavailable(self) -> set[int]:
        blocked = {row["oid"] for row in self.skipped if row["status"] == "skipped"}
        return blocked | self.errors.keys()

    def _dependencies(self, view: View, status: str) -> list[int]:
        done = self.results
        return [
            oid for oid in sorted(view.depends_on & done.keys()) if done[oid]["status"] == status
        ]


def run_plan(plan: Plan, task: Task[[View, str, int], ViewResult], parallelism: int) -> None:
    """Refresh the views that need it, at most ``parallelism`` at a time."""
    views = {view.oid: view for view in plan.views}
    concurrency = max(1, min(parallelism, len(plan.views) - plan.unchanged))
    sorter = TopologicalSorter({oid: view.depends_on & views.keys() for oid, view in views.items()})
    sorter.prepare()
    ready: deque[int] = deque()
    running: dict[PrefectFuture[ViewResult], View] = {}
    finished: Queue[PrefectFuture[ViewResult]] = Queue()
    while sorter.is_active():
        ready.extend(sorted(sorter.get_ready(), key=lambda oid: -views[oid].seconds))
        if ready and len(running) < parallelism:
            view = views[ready.popleft()]
            if future := _submit(plan, view, task, concurrency):
                running[future] = view
                future.add_done_callback(finished.put)
            else:
                sorter.done(view.oid)
            continue
        future = _next_finished(finished)
        view = running.pop(future)
        plan.add_result(view, future.result(raise_on_failure=False))
        sorter.done(view.oid)


def _submit(
    plan: Plan, view: View, task: Task[[View, str, int], ViewResult], concurrency: int
) -> PrefectFuture[ViewResult] | None:
    if plan.skip_if_blocked(view):
        return None
    reason = plan.reason(view)
    if reason is None:
        plan.skip(view, "unchanged", UNCHANGED)
        return None
    return task.submit(view, reason, concurrency)


def _next_finished(
    finished: "Queue[PrefectFuture[ViewResult]]",
) -> PrefectFuture[ViewResult]:
    while True:
        try:
            return finished.get(timeout=POLL_SECONDS)
        except Empty:
            continue
