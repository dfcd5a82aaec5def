"""An error of the file system names the path, the space that is left, and what to do."""

import errno
import logging
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from analytics_worker.cli.errors import error_message
from analytics_worker.disk_problems import DiskError, disk_problem, named_disk_errors
from analytics_worker.settings import settings
from analytics_worker.worker.pool_log_handler import PoolLogHandler, current_pool


@pytest.fixture
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    monkeypatch.delenv("LOG_DIR")
    settings.cache_clear()
    return tmp_path


@pytest.mark.parametrize(
    ("number", "problem", "fix"),
    [
        (errno.ENOSPC, "can't be written: no space left, ", "free some space there"),
        (errno.EDQUOT, "can't be written: the disk quota of user ", "free some space there"),
        (errno.EROFS, "can't be written: its file system is read-only", "mount it for writing"),
        (errno.EACCES, "can't be used: user ", "grant it"),
        (errno.EPERM, "can't be used: user ", "grant it"),
    ],
)
def test_each_kind_names_the_path_and_the_variable(state_dir: Path, number, problem, fix):
    error = OSError(number, "reason", str(state_dir / "logs" / "new" / "file"))
    message = error_message(error)
    assert message.startswith(f"{state_dir}/logs/new/file {problem}")
    assert message.endswith(f": {fix}, or set LOG_DIR to another folder")
    assert (" MB are free" in message) == (fix == "free some space there")


def test_a_path_elsewhere_has_no_variable(state_dir: Path):
    error = OSError(errno.ENOSPC, "reason", str(state_dir.parent / "elsewhere"))
    assert error_message(error).endswith(" MB are free: free some space there")


def test_errors_of_another_kind_are_left_alone(state_dir: Path):
    with pytest.raises(FileNotFoundError), named_disk_errors(state_dir):
        (state_dir / "missing").read_text()
    assert disk_problem(ValueError("x"), state_dir) is None
    assert disk_problem(OSError(errno.ENOSPC, "reason")) is None  # no folder of the worker is full


def write_to_full_device(_folder: Path) -> None:
    with Path("/dev/full").open("w") as file:
        file.write("x")


def fill_sqlite(folder: Path) -> None:
    with sqlite3.connect(folder / "x.sqlite") as connection:
        connection.execute("create table t (x text)")
        connection.execute("pragma max_page_count = 3")
        connection.execute("insert into t values (zeroblob(100000))")


@pytest.mark.parametrize("write", [write_to_full_device, fill_sqlite])
def test_an_error_without_a_path_names_the_folder_that_was_written_to(
    state_dir: Path, write: Callable[[Path], None]
):
    with (
        pytest.raises(DiskError, match=r"set STATE_DIR to another folder$") as failed,
        named_disk_errors(Path("/")),  # the inner one knows better
        named_disk_errors(state_dir),
    ):
        write(state_dir)
    text = str(failed.value)
    assert text.startswith(f"{state_dir} can't be written: no space left, ")
    assert error_message(failed.value) == text


def test_the_log_of_a_pool_says_once_that_it_can_not_be_written(
    state_dir: Path, capsys: pytest.CaptureFixture[str]
):
    file = state_dir / "worker-p.log"
    file.symlink_to("/dev/full")
    handler = PoolLogHandler(state_dir, ["p"])
    record = logging.LogRecord("x", logging.INFO, "", 1, "lost", None, None)
    token = current_pool.set("p")
    try:
        for _ in range(3):
            handler.emit(record)
        first = capsys.readouterr().err
        file.unlink()
        with suppress(OSError):  # what it holds can't be written, either
            handler.close()
        handler.emit(record)
    finally:
        current_pool.reset(token)
        handler.close()
    assert first.count("\n") == 1
    assert first.startswith(f"{file} can't be written: no space left, ")
    assert file.read_text() == "lost\n"
    assert capsys.readouterr().err == ""
