"""1,000 rules of which 100 fire: from the run's start to the last web hook received.

Against a bare loop on two kept connections with keep-alive posting, and against the way of the Celery
worker: one after the other, a new connection for each rule, a new one for each post. (Celery itself is
not needed for that: its share, some milliseconds a task, is left out in its favour.) The receiver is
a process of its own. Both sides do the same work in every round, in turns; the median counts. Ours
includes claims, isolation, limits per rule, states, history and the outbox.
"""

import multiprocessing
import os
import resource
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from statistics import median
from typing import Any

import psutil
import requests

from benchmarks.table import Row, render
from benchmarks.warehouse import connect, execute, fresh_warehouse
from flows.alerts._evaluate import evaluate_due
from flows.alerts._outbox import deliver_due
from flows.alerts._rule import Rule
from flows.alerts._sync import sync
from tests.support.http_sink import HttpSink
from toolkit import database
from toolkit.database import reader_url
from toolkit.settings import settings

RULES, FIRING, ROUNDS = 1000, 100, 3
MANY = 10_000
BOUND = 10


def measure() -> list[Row]:
    """Seconds and CPU seconds of one run over all rules, and the memory that ten times as many need."""
    with fresh_warehouse() as url, _sink() as sink:
        os.environ |= {
            "ALERT_WEBHOOK_URL": sink.url,
            "WEBHOOK_ALLOWED_HOSTS": "127.0.0.1",
            "ALERT_DELIVERY_POSTERS": "4",
        }
        settings.cache_clear()
        sync({("alert", name): rule for name, rule in _rules(RULES).items()})
        _timed(lambda: _ours(url), sink)  # opens the connections, renders the first templates
        evaluated: list[float] = []
        sides = {
            "ours": lambda: evaluated.append(_ours(url)),
            "bare": lambda: _bare(sink),
            "plain": lambda: _plain(sink),
        }
        took = {name: [] for name in sides}
        for _ in range(ROUNDS):
            for name, side in sides.items():
                took[name].append(_timed(side, sink))
        growth = _growth(url)
    ours, bare, plain = (tuple(map(median, zip(*took[n], strict=True))) for n in sides)
    what = f"{RULES:,} rules, {FIRING} fire"
    return [
        Row(what, ours[0], "s", "the Celery way", plain[0], "≤ 0.15x"),
        Row(f"{what}: CPU", ours[1], "s", "the Celery way", plain[1], "≤ 0.15x"),
        Row(f"{what}: evaluation", median(evaluated), "s", "bare loop with posts", bare[0], "≤ 2x"),
        Row(f"memory for {MANY:,} rules more than for {RULES:,}", growth, "MB", goal="≤ 30 MB"),
    ]


def _rules(count: int) -> dict[str, Rule]:
    return {
        f"r{n}": Rule.model_validate(
            {"name": f"r{n}", "sql": _sql(n), "operator": ">", "threshold": BOUND}
        )
        for n in range(count)
    }


def _sql(number: int) -> str:
    return f"select {BOUND + 1 if number % (RULES // FIRING) == 0 else 1} as value"


class _Sink:
    """The receiver, in another process; counts what it got."""

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe
        self.url: str = pipe.recv()

    def wait(self) -> None:
        """Until all have arrived."""
        self._pipe.send(FIRING)
        assert self._pipe.recv() == FIRING


@contextmanager
def _sink() -> Generator[_Sink]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_receive, args=(there,), daemon=True)
    process.start()
    try:
        yield _Sink(here)
    finally:
        here.send(0)
        process.join()


def _receive(pipe: Any) -> None:
    sink = HttpSink()
    sink.start()
    pipe.send(sink.url)
    while expected := pipe.recv():
        while len(sink.requests) < expected:
            time.sleep(0.001)
        pipe.send(len(sink.requests))
        sink.requests.clear()
    sink.stop()


def _timed(side: Callable[[], object], sink: _Sink) -> tuple[float, float]:
    """Wall and CPU seconds until the last post has arrived."""
    before, started = _cpu(), time.perf_counter()
    side()
    sink.wait()
    return time.perf_counter() - started, _cpu() - before


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _ours(url: str) -> float:
    """One run of process_pending_alerts without Prefect around it; seconds of the evaluation."""
    _forget(url)
    started = time.perf_counter()
    counts = evaluate_due(["alert"])
    seconds = time.perf_counter() - started
    assert (counts.evaluated, counts.firing, counts.deliveries) == (RULES, FIRING, FIRING)
    assert deliver_due()["sent"] == FIRING
    return seconds


def _forget(url: str) -> None:
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


def _bare(sink: _Sink) -> None:
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


def _plain(sink: _Sink) -> None:
    """A connection for each rule and for each post, one after the other."""
    for number in range(RULES):
        connection = _reader()
        if _value(connection, number) > BOUND:
            requests.post(sink.url, json={"rule": f"r{number}"}, timeout=10)
        connection.close()


def _growth(url: str) -> float:
    """MB by which the peak grows from one evaluation of RULES to one of MANY."""
    os.environ.pop("ALERT_WEBHOOK_URL")
    settings.cache_clear()
    _forget(url)
    peaks = [_peak(lambda: evaluate_due(["alert"]))]
    sync({("alert", name): rule for name, rule in _rules(MANY).items()})
    _forget(url)
    database.dispose()
    return max(0.0, _peak(lambda: evaluate_due(["alert"])) - peaks[0])


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
    assert process.exitcode == 0
    return peak / 1e6


if __name__ == "__main__":
    print(render(measure()))
