"""A process is distinguished from a later one of the same id; a name belongs to one worker at a time."""

import os
import subprocess
import sys
from dataclasses import replace

from analytics_worker.process_identity import NameLock, ProcessIdentity, remove_record


def test_a_process_is_alive_until_it_is_reaped_or_a_zombie():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        identity = ProcessIdentity.of(process.pid)
        assert identity is not None
        assert identity.is_alive()
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not identity.is_alive()


def test_another_process_of_the_same_id_is_not_it():
    me = ProcessIdentity.of(os.getpid())
    assert me is not None
    assert me.is_alive()
    assert not replace(me, started=me.started - 1).is_alive()
    assert not replace(me, boot="another boot").is_alive()


def test_a_note_survives_and_can_be_forgotten(tmp_path):
    me = ProcessIdentity.of(os.getpid())
    assert me is not None
    note = tmp_path / "run"
    me.write(note)
    assert ProcessIdentity.read(note) == me
    remove_record(note)
    remove_record(note)
    assert ProcessIdentity.read(note) is None


def test_a_damaged_note_is_no_note(tmp_path):
    note = tmp_path / "run"
    note.write_text("12")
    assert ProcessIdentity.read(note) is None


def test_a_name_is_taken_once_and_free_after_a_kill(tmp_path):
    path = tmp_path / "worker" / "host.lock"
    code = "import sys; from pathlib import Path; from analytics_worker.process_identity import NameLock; print(NameLock(Path(sys.argv[1])).acquire(), flush=True); input()"
    # The lock object must outlive the expression in the other process, as it does in a worker.
    code = code.replace(
        "print(NameLock(Path(sys.argv[1])).acquire()",
        "lock = NameLock(Path(sys.argv[1])); print(lock.acquire()",
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"True\n"
        mine = NameLock(path)
        assert not mine.acquire()
        process.kill()
        process.wait()
        assert mine.acquire()
        assert not NameLock(path).acquire()
        mine.release()
        assert NameLock(path).acquire()
