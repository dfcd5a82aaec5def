"""Report workers in their own processes, to be killed at any point."""

import multiprocessing
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess

import pytest

from tests.support.forked_process import run_forked


@pytest.fixture(scope="session")
def worker_context() -> ForkServerContext:
    """Return a context that forks processes from one that has imported everything."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        [
            "analytics_worker.delivery.channels.email",
            "flows.reports.runs.manual",
            "flows.reports.scheduling.planner",
        ]
    )
    return context


def generate_and_deliver() -> None:
    """Do what generate_scheduled_reports and generate_due_reports do, without Prefect."""
    from analytics_worker.delivery import deliver_due  # noqa: PLC0415  # preloaded
    from flows.reports.scheduling.planner import plan_due_runs, plan_runs  # noqa: PLC0415
    from flows.reports.tasks import generate_run  # noqa: PLC0415

    now = datetime.now(UTC)
    for run_id in [*plan_runs("daily", now).runs, *plan_due_runs(now).runs]:
        generate_run(run_id)
    deliver_due("reports")


def worker(context: ForkServerContext) -> AbstractContextManager[BaseProcess]:
    """Start a process that generates and delivers what is due, with this test's settings."""
    return run_forked(context, generate_and_deliver)
