"""Run the exporter as a process, and read its metrics."""

import signal
import urllib.request
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.support.ports import free_port
from tests.support.processes import Process
from tests.support.wait_until import wait_until


class Exporter(Process):
    """``python -m analytics_worker.exporter`` on a port of its own."""

    def __init__(self, folder: Path, api_url: str, **settings: str) -> None:
        """Choose folder and port; nothing runs yet."""
        self.port = free_port()
        environment = {
            "PREFECT_API_URL": api_url,
            "STATE_DIR": str(folder / "state"),
            "LOG_DIR": str(folder / "logs"),
            "PROMETHEUS_PORT": str(self.port),
            "EXPORTER_POLL_SECONDS": "0.5",
            **settings,
        }
        super().__init__(["-m", "analytics_worker.exporter"], environment, folder / "exporter.log")

    def get(self, path: str = "/metrics") -> str:
        """What it answers."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return answer.read().decode()

    def samples(self, name: str, **labels: str) -> dict[tuple[str, ...], float]:
        """Values of a metric by the labels that were not given, in the order of their names."""
        samples: dict[tuple[str, ...], float] = {}
        for family in text_string_to_metric_families(self.get()):
            for sample in family.samples:
                if sample.name == f"analytics_{name}" and labels.items() <= sample.labels.items():
                    other_labels = sorted(sample.labels.keys() - labels.keys())
                    samples[tuple(sample.labels[label] for label in other_labels)] = sample.value
        return samples

    def begin(self) -> None:
        """Start and wait until it answers."""
        self.start()
        wait_until(self._answers, 60, 0.1)

    def _answers(self) -> bool:
        assert self.ended() is None, self.output()
        try:
            return bool(self.get("/health"))
        except OSError:
            return False

    def counted(self, flow: str) -> dict[str, Counter[str]]:
        """What it counted of a flow, in the form of `tests.support.seeded_runs.in_database`."""
        of_flow = {"deployment": flow, "work_pool": ""}
        return {
            "flow runs": _ints(self.samples("flow_runs_total", **of_flow)),
            "retries": _total(self.samples("flow_run_retries_total", **of_flow)),
            "waits": _total(self.samples("flow_run_queue_wait_seconds_count", **of_flow)),
            "task runs": _ints(self.samples("task_runs_total", deployment=flow, task="unit")),
        }


def _ints(samples: dict[tuple[str, ...], float]) -> Counter[str]:
    return Counter({labels[0]: int(value) for labels, value in samples.items()})


def _total(samples: dict[tuple[str, ...], float]) -> Counter[str]:
    return Counter({"n": int(sum(samples.values()))})


@contextmanager
def exporter_of(folder: Path, api_url: str, **settings: str) -> Generator[Exporter]:
    """A running exporter; killed at the end."""
    exporter = Exporter(folder, api_url, **settings)
    try:
        exporter.begin()
        yield exporter
    finally:
        exporter.end(signal.SIGKILL)
