"""A spare process runs a program as a fresh interpreter would, with less to import."""

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
import colorsys  # what the spare has imported
from analytics_worker.prefect_support import warm_process as spare_process

folder = Path(sys.argv[1])
if "spare" in sys.argv:
    spare_process.prepare()
    if "kill" in sys.argv:
        os.kill(spare_process._spares[0].pid, 9)
threading.Thread(target=threading.Event().wait, daemon=True).start()
with (folder / "out").open("wb") as out, (folder / "in").open("rb") as source:
    process = spare_process.start(
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
        (tmp_path / "in").write_text("asked")
        done = subprocess.run(
            [sys.executable, "-c", PARENT, str(tmp_path), *options],
            cwd=project_root(), check=True, capture_output=True, text=True,
        )  # fmt: skip
        return (tmp_path / "out").read_text(), json.loads(done.stdout)

    return begin


@pytest.mark.parametrize("options", [(), ("spare",), ("spare", "kill")], ids=str)
def test_the_program_finds_what_it_was_promised(run, options, tmp_path):
    printed, (_, status, again) = run(*options)
    found = json.loads(printed)
    assert (status, again) == (0, 0)
    assert found["argv"] == ["one", "two"]
    assert found["only"] == "this"
    assert found["names"] <= 3  # ours, and LC_CTYPE, which Python sets when it starts
    assert found["folder"] == str(tmp_path)
    assert found["input"] == "asked"
    assert found["leads"]
    assert found["imported"] is (options == ("spare",))


@pytest.mark.parametrize("options", [(), ("spare",)], ids=str)
@pytest.mark.parametrize(
    ("program", "status"),
    [
        ("import sys; sys.exit(7)", 7),
        ("import sys; sys.exit('why')", 1),
        ("raise ValueError('no')", 1),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    ],
)
def test_its_exit_status_is_known(run, options, program, status):
    _, (_, found, _) = run(*options, program=program)
    assert found == status


@pytest.mark.parametrize("options", [(), ("spare",)], ids=str)
def test_what_it_dies_of_is_written_to_its_error_output(run, options):
    printed, _ = run(*options, program="raise ValueError('no')")
    assert "ValueError: no" in printed
    printed, _ = run(*options, program="import sys; sys.exit('why')")
    assert "why" in printed


def test_a_spare_that_is_not_needed_ends_with_its_parent():
    program = "from analytics_worker.prefect_support import warm_process as s; s.prepare(); print(s._spares[0].pid, flush=True)"
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=project_root(), check=True, capture_output=True
    )
    pid = int(ended.stdout)
    if psutil.pid_exists(pid):
        psutil.Process(pid).wait(10)
    assert not psutil.pid_exists(pid)
    assert os.getpid() != pid
