"""``make soak``: runs without a pause on all five pools, and what grows meanwhile.

SOAK_MINUTES (15) after a warm-up of six, about two runs a second: the worker keeps what each run's hooks
may need for five minutes. Measures the memory (RSS) of worker, templates and server every few seconds;
the slope is the median of all pairs (Theil and Sen), so that a single jump does not count as growth. Fails if a run failed, a zombie or an open file stayed behind.
"""

import os
import statistics
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import combinations, cycle
from pathlib import Path
from uuid import UUID

import psutil
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import StateType

from benchmarks._table import Row
from tests.support.case_runs import Workspace
from tests.support.prefect_server import worker_environment
from tests.support.processes import Process, Server

MINUTES = float(os.environ.get("SOAK_MINUTES", "15"))
WARM_UP_MINUTES, SAMPLE_SECONDS, RUN_SECONDS = 6.0, 5.0, 0.5
LIMITS = {"analytics": 2, "dbt": 1, "alerts": 4, "reports": 2, "monitoring": 1}
FLOWS = ("empty", "ok", "asynchronous", "with_subflow", "persisted")
TEMPLATES = 2
MEGABYTE = 1024 * 1024


@dataclass
class Watched:
    """One process over time."""

    process: psutil.Process
    samples: list[tuple[float, float]] = field(default_factory=list)

    def look(self) -> None:
        """Note its memory now."""
        self.samples.append((time.monotonic(), self.process.memory_info().rss / MEGABYTE))

    def megabytes_an_hour(self) -> float:
        """The median slope."""
        pairs = combinations(self.samples[:: max(1, len(self.samples) // 150)], 2)
        return statistics.median((b - a) / (t - s) * 3600 for (s, a), (t, b) in pairs)


def measure() -> list[Row]:
    """Keep all pools busy, then see what is left."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(Server(folder / "server"))
        works = [
            Workspace(folder / name, server.api_url, name, limit=limit)
            for name, limit in LIMITS.items()
        ]
        worker = stack.enter_context(_worker(server, folder))
        root = psutil.Process(worker.pid)
        _busy(works, WARM_UP_MINUTES, [])
        files = root.num_fds()
        watched = {
            "worker": Watched(root),
            "template": Watched(root.children()[0]),
            "template with dbt": Watched(root.children()[1]),
            "server": Watched(psutil.Process(server.pid)),
        }
        runs = _busy(works, MINUTES, list(watched.values()))
        _check(works[0], root, runs, files)
    return _rows(watched, len(runs))


def _worker(server: Server, folder: Path) -> Process:
    options = [part for pool in LIMITS for part in ("--pool", pool)]
    environment = worker_environment(server, folder, WORKER_RECYCLE_AFTER_RUNS="1000000")
    command = ["-c", "from analytics_worker.cli import main; main()", "worker", *options]
    return Process(command, environment, folder / "worker.log")


def _busy(works: list[Workspace], minutes: float, watched: list[Watched]) -> list[UUID]:
    """Submit runs, pool after pool, and look at the processes; the runs, when all have ended."""
    ends, sample = time.monotonic() + minutes * 60, 0.0
    runs: list[tuple[Workspace, UUID]] = []
    for work, flow in zip(cycle(works), cycle(FLOWS + FLOWS[:1]), strict=False):
        if time.monotonic() > ends:
            break
        runs.append((work, work.submit(flow)))
        if time.monotonic() > sample:
            sample = time.monotonic() + SAMPLE_SECONDS
            for one in watched:
                one.look()
        time.sleep(RUN_SECONDS)
    for work, run in runs[-50:]:
        work.wait(run, timeout=300)
    return [run for _, run in runs]


def _check(work: Workspace, root: psutil.Process, runs: list[UUID], files: int) -> None:
    """Every run completed; nothing stayed behind."""
    for start in range(0, len(runs), 100):
        some = runs[start : start + 100]
        selected = FlowRunFilter.model_validate({"id": {"any_": some}})
        finished_runs = work.client.read_flow_runs(flow_run_filter=selected, limit=len(some))
        ends = [run.state_type for run in finished_runs]
        assert ends == [StateType.COMPLETED] * len(some), ends
    tree = root.children(recursive=True)
    assert not [p for p in tree if p.status() == psutil.STATUS_ZOMBIE]
    assert len(tree) == TEMPLATES, tree
    assert root.num_fds() <= files + 5, (files, root.num_fds())


def _rows(watched: dict[str, Watched], runs: int) -> list[Row]:
    rows = [
        Row(
            f"growth of the {name} over {MINUTES:g} minutes and {runs:,} runs",
            *(one.megabytes_an_hour(), "MB/h"),
            goal="≤ 1 MB/h" if name != "server" else "",
        )
        for name, one in watched.items()
    ]
    last = [one.samples[-1][1] for one in watched.values()]
    return [
        *rows,
        *(
            Row(f"memory (RSS) of the {n} then", mb, "MB")
            for n, mb in zip(watched, last, strict=True)
        ),
    ]
