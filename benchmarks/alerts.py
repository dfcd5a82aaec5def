"""Evaluate 1,000 rules of which 100 fire: from the run's start to the last received webhook.

Against a bare loop on two kept connections with four keep-alive posters, and against a real Celery
worker that does it the way the original did (`_celery_app`). The receiver is a process of its own. All
sides do the same work in every round, in turns; the median counts. The worker is measured without Prefect
around it (claims, isolation, limits per rule, states, history and the outbox, with one poster, as is
the default), and as the deployed flow, from its start and from its submission. CPU is that of all processes,
PostgreSQL's, Redis', and for the deployed flow also the server's and the worker's.
"""

import gc
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
from benchmarks._cpu import cpu_seconds
from benchmarks._live_stack import LiveStack, live_stack
from benchmarks._minute import wait_for_time_in_this_minute
from benchmarks._peak_memory import peak_megabytes
from benchmarks._table import Row, render
from benchmarks._warehouse import connect, execute
from benchmarks._webhook_sink import WebhookSink, webhook_sink
from flows.alerts.evaluation.runner import evaluate_due
from flows.alerts.rules.model import Rule
from flows.alerts.rules.sync import sync
from tests.support.wait_until import wait_until

RULES, FIRING, ROUNDS = 1000, 100, 5
MANY_RULES = 10_000
BOUND = 10
FLOW = "process-pending-alerts"

Side = Callable[[], Callable[[], float] | None]
"""Start the work; return a function that waits for the end of the run and returns its start."""


def measure() -> list[Row]:
    """Return seconds and CPU seconds of one run over all rules, and the memory for ten times as many."""
    with webhook_sink() as sink:
        os.environ |= {"ALERT_WEBHOOK_URL": sink.url, "OUTBOUND_ALLOWED_HOSTS": "127.0.0.1"}
        settings.cache_clear()
        with live_stack("alerts", 200) as stack:
            _stop_schedules()
            _store(RULES)
            gc.freeze()  # as in the worker, which forks its runs after that
            results, evaluated = _side_by_side(os.environ["DATABASE_URL"], sink, stack)
            growth = _growth(os.environ["DATABASE_URL"])
    medians = {side: tuple(map(median, zip(*rows, strict=True))) for side, rows in results.items()}
    return [
        *_rows(medians),
        Row("… evaluation alone", evaluated, "s", "bare loop with posts", medians["bare"][0], "≤ 2x"),
        Row(f"memory for {MANY_RULES:,} rules more than for {RULES:,}", growth, "MB", goal="≤ 30 MB"),
    ]  # fmt: skip


def _side_by_side(
    url: str, sink: WebhookSink, stack: LiveStack
) -> tuple[dict[str, list[tuple[float, ...]]], float]:
    """Return the measurements of `_timed` for each side, and the seconds of our evaluations."""
    evaluated: list[float] = []
    with celery_worker(sink.url) as celery:
        trees = [_postmaster(url), celery.root]
        sides: dict[str, tuple[Side, list[psutil.Process]]] = {
            "ours": (lambda: evaluated.append(_evaluate_and_deliver(url)), trees),
            "run": (lambda: _run(url), [*trees, *stack.long_lived()[:2]]),
            "bare": (lambda: _bare_loop(sink), trees),
            "celery": (celery.evaluate, trees),
        }
        results = _in_turns(sides, sink)
    return results, median(evaluated[1:])


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
    sides: dict[str, tuple[Side, list[psutil.Process]]], sink: WebhookSink
) -> dict[str, list[tuple[float, ...]]]:
    """Return the measurements of `_timed` for each side; the first round opens connections, forks and imports."""
    results: dict[str, list[tuple[float, ...]]] = {name: [] for name in sides}
    for number in range(1 + ROUNDS):
        for name, (side, trees) in sides.items():
            wait_for_time_in_this_minute()
            measured = _timed(side, sink, trees)
            results[name] += [measured] if number else []
    return results


def _stop_schedules() -> None:
    """Pause all schedules, and wait until the current runs have ended."""
    with get_client(sync_client=True) as client:
        for deployment in client.read_deployments():
            client.pause_deployment(deployment.id)
        for run in client.read_flow_runs():
            if run.state and run.state.is_scheduled():
                client.delete_flow_run(run.id)
        wait_until(lambda: all(r.state and r.state.is_final() for r in client.read_flow_runs()), 60)


def _run(url: str) -> Callable[[], float]:
    """Submit the flow as users do; it ends a second after its work."""
    reset_rules(url)
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
    postmaster = psutil.Process(pid).parent()
    connection.close()
    assert postmaster
    return postmaster


def _timed(side: Side, sink: WebhookSink, trees: list[psutil.Process]) -> tuple[float, ...]:
    """Return the seconds until the last post has arrived, the CPU seconds of all, and the seconds from the start."""
    before, submitted = cpu_seconds(trees), time.time()
    wait_for_start = side()
    sink.wait(FIRING)
    ended = time.time()
    started = wait_for_start() if wait_for_start else submitted
    return ended - submitted, cpu_seconds(trees) - before, ended - started


def _evaluate_and_deliver(url: str) -> float:
    """Run process_pending_alerts without Prefect; return the seconds of the evaluation."""
    reset_rules(url)
    started = time.perf_counter()
    counts = evaluate_due(["alert"])
    seconds = time.perf_counter() - started
    assert (counts.evaluated, counts.firing, counts.deliveries) == (RULES, FIRING, FIRING), counts
    assert deliver_due("alerts")["sent"] == FIRING, "not all webhooks were sent"
    return seconds


def reset_rules(url: str) -> None:
    """Delete all states and evaluations, so that every rule is due."""
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


def _bare_loop(sink: WebhookSink) -> None:
    """Evaluate and post in a loop with two kept connections and four posters, without any safety."""
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
    """Return the growth of the peak in MB from an evaluation of RULES to one of MANY_RULES."""
    os.environ.pop("ALERT_WEBHOOK_URL")
    settings.cache_clear()
    reset_rules(url)
    few = peak_megabytes(lambda: _evaluate_all(RULES))
    peak_megabytes(
        lambda: _store(MANY_RULES)
    )  # elsewhere, so that this process stays as small as it is
    reset_rules(url)
    return max(0.0, peak_megabytes(lambda: _evaluate_all(MANY_RULES)) - few)


def _evaluate_all(count: int) -> None:
    assert evaluate_due(["alert"]).evaluated == count


if __name__ == "__main__":
    print(render(measure()))
