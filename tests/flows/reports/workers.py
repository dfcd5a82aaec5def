"""Report workers that are processes of their own, to be killed at chosen moments."""

import multiprocessing
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess

import pytest

from tests.support.forked_process import run_forked


@pytest.fixture(scope="session")
def worker_context() -> ForkServerContext:
    """Processes forked from one that has imported everything and runs nothing."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        [
            "analytics_worker.delivery.channels.email",
            "flows.reports.runs.manual",
            "flows.reports.scheduling.planner",
        ]
    )
    return context


def make_and_deliver() -> None:
    """What generate_scheduled_reports does, without Prefect."""
    from analytics_worker.delivery import deliver_due  # noqa: PLC0415  # preloaded
    from flows.reports.scheduling.planner import plan  # noqa: PLC0415
    from flows.reports.tasks import make_run  # noqa: PLC0415

    for run_id in plan("daily", datetime.now(UTC)).runs:
        make_run(run_id)
    deliver_due("reports")


def worker(context: ForkServerContext) -> AbstractContextManager[BaseProcess]:
    """Start a process that makes and sends what is due, with this test's settings."""
    return run_forked(context, make_and_deliver)
