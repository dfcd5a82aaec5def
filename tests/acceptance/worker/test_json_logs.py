"""With LOG_FORMAT=json, all that worker, runs, server and exporter write is one JSON object per line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.case_runs import Workspace
from tests.support.exporter_process import exporter_of
from tests.support.ports import free_port
from tests.support.processes import Process, Server
from tests.support.wait_until import wait_until

StartWorker = Callable[..., Process]
HOSTILE = 'a "value"\nwith {"json": 1}\r\x1b[2J and \u2028 the rest'
FLOW = f"""
import logging, subprocess, sys, threading, time, warnings
from prefect import flow, get_run_logger, task

HOSTILE = {HOSTILE!r}

@task(name="a task")
def work():
    get_run_logger().info("task: %s", HOSTILE)

@flow(name="talkative", flow_run_name="the run")
def talkative():
    get_run_logger().info("flow: %s", HOSTILE)
    get_run_logger().info("[red]%s", "x" * 1_000_000)
    work()
    print("printed:", HOSTILE)
    logging.getLogger("library").warning("library: %s", HOSTILE)
    warnings.warn("a warning of " + HOSTILE)
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    raise ValueError("failed: " + HOSTILE)
"""


def lines_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.split("\n") if line]


def test_a_run(pool: Workspace, start_worker: StartWorker):
    (pool.directory / "talkative.py").write_text(FLOW)
    worker = start_worker(LOG_FORMAT="json")
    run = pool.submit("talkative")
    assert pool.wait(run, timeout=90).name == "Failed"
    worker.end()
    lines = lines_of(worker.output())
    assert {line["process"] for line in lines} == {"worker", "run"}
    own = [line for line in lines if line["process"] == "run"]
    assert {line["flow_run_id"] for line in own} == {str(run)}
    assert {line["work_pool_name"] for line in own[4:]} == {pool.pool}
    texts = "\n".join(line["message"] for line in own)
    for start in ("flow: ", "task: ", "printed: ", "library: "):
        assert f'{start}a "value"' in texts
    assert "uncaught in Thread" in texts
    assert "a warning of" in texts
    (of_task,) = [line for line in own if line["message"].startswith("task: ")]
    assert (of_task["flow_name"], of_task["task_name"]) == ("talkative", "a task")
    assert any("ValueError: failed" in line.get("exception", "") for line in own)
    assert all(line["host"] and line["worker_name"] for line in own)
    shown = pool.messages(run)  # what the UI shows is not changed
    assert f"flow: {HOSTILE}" in shown
    assert f"task: {HOSTILE}" in shown


def test_exporter_and_server(prefect_server: Server, tmp_path: Path):
    closed = f"http://127.0.0.1:{free_port()}/api"
    with exporter_of(tmp_path, closed, LOG_FORMAT="json") as exporter:
        wait_until(exporter.output, 30)
    assert {line["process"] for line in lines_of(exporter.output())} == {"exporter"}
    prefect_server.copy_database(tmp_path / "server")
    with Server(
        tmp_path / "server", LOG_FORMAT="json", PREFECT_SERVER_LOGGING_LEVEL="DEBUG"
    ) as server:
        wait_until(server.output, 30)
    lines = lines_of(server.output())
    assert {line["process"] for line in lines} == {"server"}
    assert any(line["logger"].startswith("prefect.server") for line in lines)


def test_refusals(tmp_path: Path):
    variables = {
        "LOG_FORMAT": "json",
        "STATE_DIR": str(tmp_path),
        "PREFECT_SERVER_API_HOST": "0.0.0.0",  # noqa: S104  # what is refused
    }
    server = Process(
        ["-m", "analytics_worker.server", str(free_port())], variables, tmp_path / "log"
    )
    server.start()
    wait_until(lambda: server.ended() is not None, 60)
    (line,) = lines_of(server.output())
    assert line["level"] == "ERROR"
    assert "set PREFECT_SERVER_API_AUTH_STRING" in line["message"]
