"""A warm process runs a program as a fresh interpreter would, with less to import."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from analytics_worker.settings import project_root

PARENT = """
import json, os, sys, threading
from pathlib import Path
import colorsys  # what the warm process has imported
from analytics_worker.prefect_support import warm_process

folder = Path(sys.argv[1])
if "warm" in sys.argv:
    warm_process.fork_warm_process()
    if "kill" in sys.argv:
        os.kill(warm_process._warm_processes[0].pid, 9)
threading.Thread(target=threading.Event().wait, daemon=True).start()
with (folder / "out").open("wb") as out, (folder / "in").open("rb") as source:
    process = warm_process.start_program(
        folder / "program.py", ["one", "two"], directory=folder,
        environment={"ONLY": "this", "PATH": os.environ["PATH"]},
        streams=(source.fileno(), out.fileno(), out.fileno()),
    )
print(json.dumps([process.pid, process.wait(30), process.poll()]))
"""
PROGRAM = """
import json, os, sys
print(json.dumps({
    "argv": sys.argv[1:], "only": os.environ.get("ONLY"), "names": len(os.environ),
    "folder": os.getcwd(), "input": sys.stdin.read(), "leads": os.getsid(0) == os.getpid(),
    "imported": "colorsys" in sys.modules, "parent": os.getppid(),
}))
"""


@pytest.fixture
def run(tmp_path: Path):
    def begin(*options: str, program: str = PROGRAM) -> tuple[str, list[int]]:
        (tmp_path / "program.py").write_text(program)
        (tmp_path / "in").write_text("input")
        done = subprocess.run(
            [sys.executable, "-c", PARENT, str(tmp_path), *options],
            cwd=project_root(), check=True, capture_output=True, text=True,
        )  # fmt: skip
        return (tmp_path / "out").read_text(), json.loads(done.stdout)

    return begin


@pytest.mark.parametrize("options", [(), ("warm",), ("warm", "kill")], ids=str)
def test_a_program_gets_its_arguments_environment_folder_and_streams(run, options, tmp_path):
    printed, (_, status, again) = run(*options)
    program = json.loads(printed)
    assert (status, again) == (0, 0)
    assert program["argv"] == ["one", "two"]
    assert program["only"] == "this"
    assert program["names"] <= 3  # the given ones, and LC_CTYPE, which Python sets when it starts
    assert program["folder"] == str(tmp_path)
    assert program["input"] == "input"
    assert program["leads"]
    assert program["imported"] is (options == ("warm",))


@pytest.mark.parametrize("options", [(), ("warm",)], ids=str)
@pytest.mark.parametrize(
    ("program", "status"),
    [
        ("import sys; sys.exit(7)", 7),
        ("import sys; sys.exit('why')", 1),
        ("raise ValueError('no')", 1),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    ],
)
def test_the_exit_status_is_reported(run, options, program, status):
    _, (_, exit_status, _) = run(*options, program=program)
    assert exit_status == status


@pytest.mark.parametrize("options", [(), ("warm",)], ids=str)
def test_the_fatal_error_is_written_to_standard_error(run, options):
    printed, _ = run(*options, program="raise ValueError('no')")
    assert "ValueError: no" in printed
    printed, _ = run(*options, program="import sys; sys.exit('why')")
    assert "why" in printed


def test_an_unused_warm_process_ends_with_its_parent():
    program = "from analytics_worker.prefect_support import warm_process as s; s.fork_warm_process(); print(s._warm_processes[0].pid, flush=True)"
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=project_root(), check=True, capture_output=True
    )
    pid = int(ended.stdout)
    if psutil.pid_exists(pid):
        psutil.Process(pid).wait(10)
    assert not psutil.pid_exists(pid)
    assert os.getpid() != pid
