"""Children that will not end by themselves, in the ways that dbt might not."""

import os
import time
from pathlib import Path

import psutil
import pytest

from flows.dbt import _process
from flows.dbt._process import DbtDeadlineError, dbt_process

SPEAKS = """
import os, signal, sys, time
def say(line): os.write(1, line.encode() + b"\\n")
"""
POLITE = """
def stop(*_): say('{"event": "late"}'); os._exit(0)
signal.signal(signal.SIGINT, stop); say('{"event": "up"}'); time.sleep(60)
"""
STUBBORN = """
signal.signal(signal.SIGINT, signal.SIG_IGN); say('{"event": "up"}'); time.sleep(60)
"""
DYING = """
say('{"event": "up"}'); sys.stderr.write("out of memory"); sys.stderr.flush(); os.kill(os.getpid(), 9)
"""


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def begin(program: str):
        path = tmp_path / "program.py"
        path.write_text(SPEAKS + program)
        monkeypatch.setattr(_process, "PROGRAM", path)
        return dbt_process(tmp_path, dict(os.environ), tmp_path / "stderr.log")

    return begin


def soon() -> float:
    return time.monotonic() + 20


def read_one(process) -> dict[str, object]:
    return next(process.events(soon()))


def test_a_deadline_ends_the_reading(start):
    with start(POLITE) as process:
        assert read_one(process) == {"event": "up"}
        with pytest.raises(DbtDeadlineError):
            list(process.events(time.monotonic() + 0.1))


def test_an_interrupted_child_may_still_say_something(start):
    with start(POLITE) as process:
        read_one(process)
        assert process.stop() == [{"event": "late"}]
        assert not psutil.pid_exists(process.pid)


def test_a_child_that_ignores_the_interrupt_is_killed(start):
    with start(STUBBORN) as process:
        read_one(process)
        process.stop(grace_seconds=0.1)
        assert not psutil.pid_exists(process.pid)


def test_an_exception_in_the_block_leaves_no_child(start):
    process = None

    def interrupted() -> None:
        nonlocal process
        with start(POLITE) as process:
            read_one(process)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert process is not None
    assert not psutil.pid_exists(process.pid)


def test_a_child_that_dies_ends_the_reading_and_leaves_its_last_words(start):
    with start(DYING) as process:
        assert list(process.events(soon())) == [{"event": "up"}]
        assert process.exit_status() == -9
        assert process.stderr_tail() == "out of memory"


def test_a_child_that_dies_before_it_listens_can_be_sent_to(start):
    with start("os._exit(3)") as process:
        assert list(process.events(soon())) == []
        process.send({"argv": ["run"]})
        assert process.exit_status() == 3
