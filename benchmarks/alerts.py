"""1,000 rules of which 100 fire: from the run's start to the last web hook received.

Against a bare loop on two kept connections with four keep-alive posters, and against a real Celery
worker that does it the way the original did (`_celery_app`). The receiver is a process of its own. All
sides do the same work in every round, in turns; the median counts. Ours is measured without Prefect
around it (claims, isolation, limits per rule, states, history and the outbox, with one poster, as is
the default), and as the deployed flow, from its start and from its submission. CPU is that of all processes,
PostgreSQL's, Redis', and for the deployed flow also the server's and the worker's.
"""

import multiprocessing
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any

import psutil
import requests
from prefect import get_client

from analytics_worker.database.connections import reader_url
from analytics_worker.delivery import deliver_due
from analytics_worker.prefect_support.runs import submit
from analytics_worker.settings import settings
from benchmarks._celery import celery_worker
from benchmarks._counting_sink import CountingSink, counting_sink
from benchmarks._cpu import cpu_seconds
from benchmarks._deployed import Deployed, deployed
from benchmarks.table import Row, render
from benchmarks.warehouse import connect, execute
from flows.alerts.evaluation.runner import evaluate_due
from flows.alerts.rules.model import Rule
from flows.alerts.rules.sync import sync
from tests.support.waiting import wait_until

RULES, FIRING, ROUNDS = 1000, 100, 5
MANY = 10_000
BOUND = 10
FLOW = "process-pending-alerts"

Side = Callable[[], Callable[[], float] | None]
"""Starts the work; returns how to wait for what comes after the last web hook, and the work's start."""


def measure() -> list[Row]:
    """Seconds and CPU seconds of one run over all rules, and the memory that ten times as many need."""
    with counting_sink() as sink:
        os.environ |= {"ALERT_WEBHOOK_URL": sink.url, "OUTBOUND_ALLOWED_HOSTS": "127.0.0.1"}
        settings.cache_clear()
        with deployed("alerts", 200) as stack:
            _stop_schedules()
            _store(RULES)
            took, evaluated = _side_by_side(os.environ["DATABASE_URL"], sink, stack)
            growth = _growth(os.environ["DATABASE_URL"])
    medians = {name: tuple(map(median, zip(*rounds, strict=True))) for name, rounds in took.items()}
    return [
        *_rows(medians),
        Row("… evaluation alone", evaluated, "s", "bare loop with posts", medians["bare"][0], "≤ 2x"),
        Row(f"memory for {MANY:,} rules more than for {RULES:,}", growth, "MB", goal="≤ 30 MB"),
    ]  # fmt: skip


def _side_by_side(
    url: str, sink: CountingSink, stack: Deployed
) -> tuple[dict[str, list[tuple[float, ...]]], float]:
    """What `_timed` tells of each side, and the seconds of our evaluations."""
    evaluated: list[float] = []
    with celery_worker(sink.url) as celery:
        trees = [_postmaster(url), celery.root]
        sides: dict[str, tuple[Side, list[psutil.Process]]] = {
            "ours": (lambda: evaluated.append(_ours(url)), trees),
            "run": (lambda: _run(url), [*trees, *stack.lasting()[:2]]),
            "bare": (lambda: _bare(sink), trees),
            "celery": (celery.evaluate, trees),
        }
        took = _in_turns(sides, sink)
    return took, median(evaluated[1:])


def _rows(sides: dict[str, tuple[float, ...]]) -> list[Row]:
    what = f"{RULES:,} rules, {FIRING} fire"
    (wall, cpu, _), celery = sides["ours"], sides["celery"]
    return [
        Row(what, wall, "s", "Celery", celery[0], "≤ 0.15x"),
        Row("… CPU", cpu, "s", "Celery", celery[1], "≤ 0.15x"),
        Row("… as a deployed flow, from its start", sides["run"][2], "s", "Celery", celery[0], "≤ 0.15x"),
        Row("… as a deployed flow, from its submission", sides["run"][0], "s", "Celery", celery[0]),
        Row("… as a deployed flow, CPU", sides["run"][1], "s", "Celery", celery[1]),
    ]  # fmt: skip


def _in_turns(
    sides: dict[str, tuple[Side, list[psutil.Process]]], sink: CountingSink
) -> dict[str, list[tuple[float, ...]]]:
    """What `_timed` tells of each side; the first round opens connections, forks and imports."""
    took: dict[str, list[tuple[float, ...]]] = {name: [] for name in sides}
    for number in range(1 + ROUNDS):
        for name, (side, trees) in sides.items():
            measured = _timed(side, sink, trees)
            took[name] += [measured] if number else []
    return took


def _stop_schedules() -> None:
    """Nothing but what is measured evaluates rules; what runs already may end."""
    with get_client(sync_client=True) as client:
        for deployment in client.read_deployments():
            client.pause_deployment(deployment.id)
        for run in client.read_flow_runs():
            if run.state and run.state.is_scheduled():
                client.delete_flow_run(run.id)
        wait_until(lambda: all(r.state and r.state.is_final() for r in client.read_flow_runs()), 60)


def _run(url: str) -> Callable[[], float]:
    """The flow, as people run it; it ends a second after its work."""
    forget(url)
    run = submit(FLOW)

    def started() -> float:
        run.get(60)
        with get_client(sync_client=True) as client:
            start = client.read_flow_run(run.id).start_time
        assert start is not None
        return start.timestamp()

    return started


def _rules(count: int) -> dict[str, Rule]:
    return {
        f"r{n}": Rule.model_validate(
            {"name": f"r{n}", "sql": _sql(n), "operator": ">", "threshold": BOUND}
        )
        for n in range(count)
    }


def _store(count: int) -> None:
    sync({("alert", name): rule for name, rule in _rules(count).items()})


def _sql(number: int) -> str:
    return f"select {BOUND + 1 if number % (RULES // FIRING) == 0 else 1} as value"


def _postmaster(url: str) -> psutil.Process:
    connection = connect(url)
    ((pid,),) = execute(connection, "select pg_backend_pid()")
    found = psutil.Process(pid).parent()
    connection.close()
    assert found
    return found


def _timed(side: Side, sink: CountingSink, trees: list[psutil.Process]) -> tuple[float, ...]:
    """Seconds until the last post has arrived, CPU seconds until all is done, seconds from the start."""
    before, submitted = cpu_seconds(trees), time.time()
    rest = side()
    sink.wait(FIRING)
    ended = time.time()
    started = rest() if rest else submitted
    return ended - submitted, cpu_seconds(trees) - before, ended - started


def _ours(url: str) -> float:
    """One run of process_pending_alerts without Prefect around it; seconds of the evaluation."""
    forget(url)
    started = time.perf_counter()
    counts = evaluate_due(["alert"])
    seconds = time.perf_counter() - started
    assert (counts.evaluated, counts.firing, counts.deliveries) == (RULES, FIRING, FIRING), counts
    assert deliver_due("alerts")["sent"] == FIRING, "not all web hooks were sent"
    return seconds


def forget(url: str) -> None:
    """No states and no history: every rule is due."""
    connection = connect(url)
    execute(
        connection, "truncate ops.alert_states, ops.alert_events, ops.alert_evaluations cascade"
    )
    execute(connection, "update ops.alert_rules set evaluated_slot = null")
    connection.close()


def _value(connection: Any, number: int) -> int:
    ((value,),) = execute(connection, _sql(number))
    return value


def _reader() -> Any:
    return connect(reader_url().render_as_string(hide_password=False))


def _bare(sink: CountingSink) -> None:
    """Two kept connections, four keep-alive posters, no safety at all."""
    firing: list[int] = []

    def evaluate(numbers: range) -> None:
        connection = _reader()
        firing.extend(n for n in numbers if _value(connection, n) > BOUND)
        connection.close()

    def post(numbers: list[int]) -> None:
        with requests.Session() as session:
            for number in numbers:
                session.post(sink.url, json={"rule": f"r{number}"}, timeout=10)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(evaluate, (range(0, RULES, 2), range(1, RULES, 2))))
        list(threads.map(post, (firing[n::4] for n in range(4))))


def _growth(url: str) -> float:
    """MB by which the peak grows from one evaluation of RULES to one of MANY."""
    os.environ.pop("ALERT_WEBHOOK_URL")
    settings.cache_clear()
    forget(url)
    few = _peak(lambda: _evaluate_all(RULES))
    _peak(lambda: _store(MANY))  # elsewhere, so that this process stays as small as it is
    forget(url)
    return max(0.0, _peak(lambda: _evaluate_all(MANY)) - few)


def _evaluate_all(count: int) -> None:
    assert evaluate_due(["alert"]).evaluated == count


def _peak(work: Callable[[], object]) -> float:
    """MB that a forked process has at most while it works."""
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    handle, peak = psutil.Process(process.pid), 0
    while process.is_alive():
        try:
            peak = max(peak, handle.memory_info().rss)
        except psutil.NoSuchProcess:
            break
        time.sleep(0.02)
    process.join()
    assert process.exitcode == 0, "the evaluation of many rules failed"
    return peak / 1e6


if __name__ == "__main__":
    print(render(measure()))
