"""Counters, keys and marks: all of a batch or nothing, each item once."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_worker.exporter.counter_events import CountedItem, Increment, RunResult
from analytics_worker.exporter.counter_store import Store
from analytics_worker.exporter.metric_families import Family, Histogram
from tests.support.wait_until import wait_until

RUNS = Family("runs_total", "counter", "Runs.", ("state",))
WAIT = Family("wait_seconds", "histogram", "Wait.", (), (1.0, 10.0))
LAST = Family("last_seconds", "gauge", "Last.", ("name",))


def item(
    number: int, at: float = 100.0, *increments: Increment, run_result: RunResult | None = None
):
    return CountedItem(
        str(number).encode(), at, increments or (Increment(RUNS, ("Done",)),), run_result
    )


def test_an_item_is_counted_once_however_often_it_comes(store):
    assert store.apply("runs", [item(1), item(2), item(1)]) == 2
    assert store.apply("runs", [item(2), item(3)]) == 1
    assert store.values(RUNS) == {("Done",): 3.0}


def test_the_same_key_of_another_source_is_another_item(store):
    store.apply("runs", [item(1)])
    assert store.apply("tasks", [item(1)]) == 1


def test_a_new_process_goes_on_where_the_last_one_stopped(tmp_path):
    first = Store(tmp_path / "s.sqlite")
    observed = Increment.observe(WAIT, (), 5.0)
    first.apply("runs", [item(1, 1.0, Increment(RUNS, ("a",)), observed)], {"reached": 7.0})
    first.close()
    second = Store(tmp_path / "s.sqlite")
    assert second.values(RUNS) == {("a",): 1.0}
    assert second.values(WAIT) == {(): Histogram((0.0, 1.0, 0.0), 5.0)}
    assert second.mark("reached") == 7.0
    assert second.apply("runs", [item(1)]) == 0


def test_a_batch_that_fails_changes_nothing(store):
    def broken():
        yield item(1)
        raise RuntimeError("the API went away")

    with pytest.raises(RuntimeError):
        store.apply("runs", broken(), {"reached": 1.0})
    assert (store.values(RUNS), store.mark("reached")) == ({}, None)
    assert store.apply("runs", [item(1)]) == 1


def test_what_is_settled_is_forgotten_and_never_counted_again(store):
    store.apply("runs", [item(1, 100.0), item(2, 200.0)])
    store.settle("runs", 150.0)
    assert store.seen("runs", 0, 1000) == 1
    assert store.apply("runs", [item(1, 100.0), item(3, 149.0)]) == 0
    assert store.values(RUNS) == {("Done",): 2.0}


def test_the_highest_value_of_a_gauge_is_kept(store):
    for number, value in enumerate((5.0, 9.0, 7.0)):
        store.apply("runs", [item(number, 1.0, Increment(LAST, ("x",), value))])
    assert store.values(LAST) == {("x",): 9.0}


@given(st.permutations(range(6)))
def test_a_success_resolves_the_failures_before_it_in_any_order(tmp_path_factory, order):
    store = Store(tmp_path_factory.mktemp("s") / "s.sqlite")
    outcomes = [True, True, False, True, True, True]  # the third succeeds
    for number in order:
        run_result = RunResult("load/dbt", failed=outcomes[number])
        store.apply("runs", [item(number, float(number), run_result=run_result)])
    assert store.failures() == {"load/dbt": 3}
    store.close()


def test_only_its_owner_can_read_it(tmp_path):
    opened = Store(tmp_path / "state" / "s.sqlite")
    opened.apply("runs", [item(1)])
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "state").iterdir()}
    assert len(modes) >= 2
    assert set(modes.values()) == {0o600}
    opened.close()


def test_a_damaged_file_is_put_aside(tmp_path, capsys):
    path = tmp_path / "s.sqlite"
    path.write_bytes(b"no database at all, " * 500)
    opened = Store(path)
    assert opened.apply("runs", [item(1)]) == 1
    assert "is damaged" in capsys.readouterr().err
    assert len(list(tmp_path.glob("s.damaged-*"))) == 1
    opened.close()


def test_threads_may_share_it(store):
    def count(source: str) -> None:
        for number in range(50):
            store.apply(source, [item(number)])

    threads = [threading.Thread(target=count, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.values(RUNS) == {("Done",): 200.0}


WRITER = """
import sys
from pathlib import Path
from analytics_worker.exporter.counter_store import Store
from tests.exporter.test_store import item
store = Store(Path(sys.argv[1]))
for number in range(100_000):
    store.apply("runs", [item(number)], {"reached": float(number + 1)})
"""


def test_a_killed_writer_leaves_counter_and_mark_in_step(tmp_path):
    path, counted = tmp_path / "s.sqlite", -1.0
    for _ in range(3):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], cwd=Path.cwd())
        wait_until(partial(has_grown, path, counted), 60)
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        store = Store(path)
        counted = store.mark("reached") or 0.0
        assert store.values(RUNS) == {("Done",): counted}
        assert store.seen("runs", 0, 1000) == counted
        store.close()


def has_grown(path: Path, counted: float) -> bool:
    try:
        with closing(sqlite3.connect(path)) as connection:
            return connection.execute("select count(*) from seen").fetchone()[0] > counted + 2
    except sqlite3.OperationalError:  # not there yet
        return False
