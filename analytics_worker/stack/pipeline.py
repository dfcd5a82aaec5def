"""The pipeline once, through the work pools, the way any user would start it.

Queues runs on the Prefect API and waits for them. Safe to repeat: so is every flow.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from analytics_worker.prefect_support.results import RunFailed
from analytics_worker.prefect_support.runs import Run, submit
from analytics_worker.sample_project import SAMPLE_SELECTION, is_sample_project
from analytics_worker.stack.background_thread import run_in_daemon_thread

POLL_SECONDS = 0.4
DBT_OF_SAMPLE = ("run-dbt-models/dbt", {"dbt_args": SAMPLE_SELECTION})
"""Only that of the sample: another project is run at its time, or on request."""
STEPS: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("refresh-materialized-views/analytics", {}),
    ("refresh-catalog/analytics", {}),
)


@dataclass(frozen=True)
class StepResult:
    """The result of one step of the pipeline."""

    deployment: str
    state: str
    succeeded: bool
    seconds: float
    message: str

    @property
    def row(self) -> tuple[str, str, str, str]:
        """The step as a row of the results."""
        style = "green" if self.succeeded else "bold red"
        return self.deployment, f"[{style}]{self.state}[/]", f"{self.seconds:.1f}", self.message


async def run_pipeline(progress: Callable[[str], None]) -> list[tuple[str, ...]]:
    """Run the steps one after another; a failed one does not keep the next from trying. Return their rows."""
    steps = [DBT_OF_SAMPLE, *STEPS] if is_sample_project() else STEPS
    return [(await _run_step(name, dict(parameters), progress)).row for name, parameters in steps]


async def _run_step(
    name: str, parameters: dict[str, Any], progress: Callable[[str], None]
) -> StepResult:
    started = time.monotonic()
    run = await run_in_daemon_thread(lambda: submit(name, **parameters))
    while True:
        state = await run_in_daemon_thread(run.state)
        seconds = time.monotonic() - started
        if state is not None and state.is_final():
            message = await run_in_daemon_thread(lambda: _message(run))
            return StepResult(name, state.name or "", state.is_completed(), seconds, message)
        progress(f"{name}: {state.name if state else 'queued'} {seconds:.0f} s")
        await asyncio.sleep(POLL_SECONDS)


def _message(run: Run) -> str:
    try:
        result = run.get(timeout=0)
    except RunFailed as error:
        return str(error)
    return str(result["message"]) if isinstance(result, Mapping) else str(result)
