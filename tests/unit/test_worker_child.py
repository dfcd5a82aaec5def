"""What a child makes of exit codes, settings and memory; frames that arrive in pieces."""

import os
import socket
import subprocess
import sys
import threading

import pytest

from analytics_worker.worker.fork_server.flow_run_process import exit_code
from analytics_worker.worker.fork_server.protocol import encode, receive
from analytics_worker.worker.run_monitor import (
    MAX_RUN_MEGABYTES,
    MEGABYTE,
    default_limit_mb,
    descendants,
    memory_of,
)
from tests.support.wait_until import wait_until


@pytest.mark.parametrize(
    ("given", "expected"), [(None, 0), (0, 0), (3, 3), (256 + 7, 7), (-1, 255), ("why", 1)]
)
def test_an_exit_code_is_what_the_interpreter_makes_of_it(given, expected):
    code = f"raise SystemExit({given!r})"
    real = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert exit_code(SystemExit(given)) == expected == real.returncode


def test_a_frame_arrives_whole_even_in_pieces():
    ours, theirs = socket.socketpair()
    message = {"id": "x" * 200_000, "nested": {"ä": [1, None]}}
    with ours, theirs:
        sender = threading.Thread(target=theirs.sendall, args=(encode(message),))
        sender.start()
        assert receive(ours) == message
        sender.join()
        theirs.close()
        with pytest.raises(EOFError):
            receive(ours)


def test_memory_counts_descendants_in_sessions_of_their_own():
    inner = "b = bytearray(80_000_000); print('ready', flush=True); input()"
    code = (
        "import subprocess, sys;"
        f"p = subprocess.Popen([sys.executable, '-c', {inner!r}], start_new_session=True); p.wait()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        wait_until(lambda: len(list(descendants(process.pid))) == 2)
        assert memory_of(process.pid, limit=10_000 * MEGABYTE) > 80_000_000
        assert memory_of(process.pid, limit=1) > 80_000_000
        for pid in reversed(list(descendants(process.pid))):
            os.kill(pid, 9)


def test_a_process_that_is_gone_uses_nothing():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert memory_of(process.pid, limit=1) == 0


@pytest.mark.parametrize(
    ("container", "limit"),
    [(1024 * MEGABYTE, 512), (1 << 60, None), ("max", None), (None, None)],
)
def test_the_default_memory_limit_leaves_half_of_host_and_container(tmp_path, container, limit):
    file = tmp_path / "memory.max"
    if container is not None:
        file.write_text(str(container))
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert default_limit_mb(file) == (limit or min(MAX_RUN_MEGABYTES, total // 2 // MEGABYTE))
