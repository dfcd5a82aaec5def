"""Commands as processes: a reader that leaves, Ctrl-C, and a server that is not there yet."""

import os
import signal
import socket
import subprocess

from tests.support.ports import free_port
from tests.support.stack import COMMAND


def start(*arguments, **options):
    return subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def test_a_reader_that_leaves_ends_the_command_silently():
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.Popen(
        [*COMMAND, "alerts", "validate"],
        stdout=writing, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    os.close(writing)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (1, "")


def test_ctrl_c_while_a_database_says_nothing():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://me:password@127.0.0.1:{silent.getsockname()[1]}/sales"
        environment = os.environ | {"DATABASE_URL": url, "CONNECT_TIMEOUT_SECONDS": "100"}
        interrupts = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored after nohup
        process = start("sample", "--tick", env=environment)
        signal.signal(signal.SIGINT, interrupts)
        connection, _ = silent.accept()  # the command waits for its answer
        with connection:
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=60)
    assert (process.returncode, output, errors) == (130, "", "")


def test_a_worker_waits_for_its_server(tmp_path):
    """It serves: the server may start later."""
    address = f"http://127.0.0.1:{free_port()}/api"
    environment = os.environ | {"PREFECT_API_URL": address, "STATE_DIR": str(tmp_path)}
    process = start("worker", "--pool", "dbt", env=environment)
    assert process.stderr
    first = process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=60)
    assert "will" in first
    assert "Traceback" not in first + output + errors
