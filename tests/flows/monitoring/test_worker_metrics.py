"""collect_worker_metrics stores one row a minute, of this host and its work pools."""

import json
import os

import psutil
import pytest

from analytics_worker.settings import settings
from flows.monitoring import collect_worker_metrics
from flows.monitoring.measurements.processes import _stack_processes, measure_processes

pytestmark = pytest.mark.usefixtures("environment")


@pytest.mark.usefixtures("prefect_api")
def test_a_minute_has_one_row_and_old_rows_are_deleted(sql):
    collect_worker_metrics()
    sql("update ops.worker_metrics set collected_at = now() - interval '15 days'")
    collect_worker_metrics()
    result = collect_worker_metrics()
    rows = sql("select cpu_count, memory_total_bytes, pools from ops.worker_metrics")
    assert 1 <= len(rows) <= 2  # the minute may end between two runs
    assert rows[0][:2] == (psutil.cpu_count(), psutil.virtual_memory().total)
    assert set(rows[0][2]) == {"analytics", "dbt", "alerts", "reports", "monitoring"}
    assert result["status"] == "success"
    assert result["host"]["disk_total_bytes"] > result["host"]["disk_free_bytes"] > 0


def record(pid: int, created: float) -> None:
    folder = settings().state_dir
    folder.mkdir(parents=True, exist_ok=True)
    component = {"name": "worker", "pid": pid, "created": created}
    (folder / "stack.json").write_text(json.dumps({"components": [component]}))


def test_processes_of_a_stack_are_read_from_its_record():
    me = psutil.Process()
    record(me.pid, me.create_time())
    measured = measure_processes(settings().state_dir)["worker"]
    assert measured["rss_bytes"] >= me.memory_info().rss // 2
    assert measured["processes"] >= 1


def test_a_process_with_a_reused_pid_is_ignored():
    record(os.getpid(), 12345.0)
    assert _stack_processes(settings().state_dir) == {}
