"""Define the ``@dbt_flow`` decorator: a flow whose time limit starts when it may run dbt.

Reads the settings; writes nothing.
"""

from collections.abc import Callable
from typing import Any, ParamSpec, Self, TypeVar, cast

from prefect.context import FlowRunContext

from analytics_worker.prefect_support.flow import WorkerFlow, flow
from analytics_worker.prefect_support.run_names import NameOf, Outcome
from analytics_worker.settings import settings

P = ParamSpec("P")
R = TypeVar("R")


class DbtFlow(WorkerFlow[P, R]):
    """A flow that may wait for other runs of dbt: Prefect's time limit of a run includes the wait."""

    limit_seconds: float | None = None
    """Time limit of dbt."""

    @property
    def timeout_seconds(self) -> float | None:
        """The time limit; while this flow runs, with the time that it may wait for the lock."""
        context = FlowRunContext.get()
        if self.limit_seconds is None or context is None or context.flow is not self:
            return self.limit_seconds
        return self.limit_seconds + settings().dbt_lock_wait_seconds

    def with_options(self, **options: Any) -> Self:
        """Return a copy with other options; its time limit starts when it may run dbt, too."""
        options.setdefault("timeout_seconds", self.limit_seconds)
        changed = super().with_options(**options)
        changed.limit_seconds = changed.__dict__.pop("timeout_seconds")
        return changed

    @timeout_seconds.setter
    def timeout_seconds(self, seconds: float | None) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        self.limit_seconds = seconds


def dbt_flow(
    *, timeout_seconds: float, run_name: str | NameOf | None = None, outcome: Outcome | None = None
) -> Callable[[Callable[P, R]], DbtFlow[P, R]]:
    """Make a flow of a function that runs dbt.

    Args:
        timeout_seconds: Time limit of dbt, from the moment when no other run holds the lock.
        run_name: Name of its runs, as for `flow`.
        outcome: Returns what a result adds to it.
    """
    decorate = flow(
        timeout_seconds=timeout_seconds,
        run_name=run_name,
        outcome=outcome,
        flow_type=cast("Any", DbtFlow),
    )
    return cast("Callable[[Callable[P, R]], DbtFlow[P, R]]", decorate)
