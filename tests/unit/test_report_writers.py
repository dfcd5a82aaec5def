"""Temporary files of killed writers are deleted when the next process writes; those of others stay."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from analytics_worker.report_storage.writers import new_mark, writer_has_ended

CODE = """
import sys
from pathlib import Path
from analytics_worker.report_storage.folder import FolderStorage
print(FolderStorage(Path(sys.argv[1]), "", None).temporary(sys.argv[2]), flush=True)
sys.stdin.read()
"""


def start_writer(folder: Path, filename: str) -> tuple[subprocess.Popen[str], Path]:
    """Start a process that has begun to write a file."""
    command = [sys.executable, "-c", CODE, str(folder), filename]
    process = subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_what_a_killed_writer_left_is_deleted_and_what_a_living_one_writes_is_not(tmp_path: Path):
    living, of_living = start_writer(tmp_path, "sales-1-2026.csv")
    killed, of_killed = start_writer(tmp_path, "slow0-3-2026.csv")
    folder = of_killed.with_name(f"{of_killed.name}.files")
    folder.mkdir()
    elsewhere = tmp_path / ".costs-2-2026.csv.00000000-1-1-00000000.part"
    older = tmp_path / ".costs-2-2026.csv.5ec48866.part"
    for path in (elsewhere, older):
        path.touch()
    kill(killed)
    following, of_following = start_writer(tmp_path, "sales-4-2026.csv")
    kept = {of_living, of_following, elsewhere, older}
    assert set(tmp_path.iterdir()) == kept
    kill(living)
    kill(following)
    assert {path for path in kept if writer_has_ended(path)} == {of_living, of_following}


def test_a_process_with_the_pid_of_the_writer_is_another_one():
    mark = new_mark()
    place, pid, started, token = mark.split("-")
    assert int(pid) == os.getpid()
    assert not writer_has_ended(Path(f".a-1.csv.{mark}.part"))
    assert writer_has_ended(Path(f".a-1.csv.{place}-{pid}-{int(started) - 1}-{token}.part"))
