"""Find the dbt that runs the commands: the installed one, or the executable that DBT_EXECUTABLE names.

Runs ``<executable> --version`` once for each version of the file, and stores the answer in
``<state_dir>/dbt/executable.json``, because it takes dbt seconds. Safe to repeat.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from analytics_worker.errors import PermanentError
from analytics_worker.private_folder import create_private
from analytics_worker.settings import project_root, settings
from analytics_worker.text import one_line

VARIABLE = "DBT_EXECUTABLE"
VERSION_SECONDS = 60
"""An imported dbt answers in seconds; it also asks for newer versions over the network."""
ANSWER_BYTES = 100_000
OLDEST = (1, 8)
"""Earlier ones lack options that every command is given."""
EXPECTED = "expected the path or the name of a dbt"
_VERSION = re.compile(r"(?:installed:|dbt(?:-\w+)?)\s+v?(\d+)\.(\d+)(\.[\w.+-]+)?", re.IGNORECASE)
_ADAPTER = re.compile(r"^\s*- postgres\b", re.MULTILINE)


class DbtExecutableError(PermanentError):
    """DBT_EXECUTABLE names nothing that can run dbt; the message says why."""


@dataclass(frozen=True)
class DbtExecutable:
    """A dbt outside of this environment.

    Attributes:
        path: The file.
        version: What it says of itself, such as ``1.11.16``.
    """

    path: str
    version: str


def dbt_command(environment: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Return the command that runs dbt in a process of its own, and its environment.

    Raises:
        DbtExecutableError: DBT_EXECUTABLE names nothing that can run dbt.
    """
    path = executable_path()
    if path is None:
        return [sys.executable, "-m", "dbt.cli.main"], dict(environment)
    return [str(path)], foreign_environment(environment)


def foreign_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without the variables that would lead another Python to our packages."""
    ours = {"PYTHONPATH", "PYTHONHOME", "PYTHONSAFEPATH", "VIRTUAL_ENV"}
    return {name: value for name, value in environment.items() if name not in ours}


def executable_path() -> Path | None:
    """Return the file that DBT_EXECUTABLE names; None if the installed dbt is used.

    Raises:
        DbtExecutableError: there is no such executable file.
    """
    name = settings().dbt_executable
    if not name:
        return None
    if settings().dbt_runner == "prefect":
        raise DbtExecutableError(
            f"DBT_RUNNER=prefect runs the dbt of this environment only; unset it or {VARIABLE}"
        )
    if os.sep not in name:
        found = shutil.which(name)
        if found is None:
            raise _error(name, "is not on PATH")
        return Path(found)
    path = project_root() / name
    problem = _problem(path)
    if problem:
        raise _error(name, problem)
    return path


def _problem(path: Path) -> str:
    if not path.exists():
        return "does not exist"
    if not path.is_file():
        return "is not a file"
    return "" if os.access(path, os.X_OK) else f"is not executable (`chmod +x {path}`)"


def checked_executable(*, again: bool = False) -> DbtExecutable | None:
    """Return the executable with its version; None if the installed dbt is used.

    Args:
        again: Ask it again although the file has not changed: a wrapper may lead to another dbt.

    Raises:
        DbtExecutableError: it does not exist, or is no dbt that can run the commands.
    """
    path = executable_path()
    if path is None:
        return None
    identity = _identity(path)
    known = None if again else _stored(identity)
    if known is None:
        known = DbtExecutable(str(path), _version(path))
        _store(identity, known)
    return known


def _identity(path: Path) -> list[int | str]:
    status = path.stat()
    return [str(path), status.st_ino, status.st_size, status.st_mtime_ns]


def _version(path: Path) -> str:
    """Return the version that the executable prints."""
    answer = _answer(path)
    found = _VERSION.search(answer)
    if found is None:
        printed = f"`--version` printed {one_line(answer, 100)!r}"
        raise _error(str(path), f"is not dbt: {printed}")
    version = f"{found[1]}.{found[2]}{found[3] or ''}"
    if (int(found[1]), int(found[2])) < OLDEST:
        raise _error(str(path), f"is dbt {version}", f"expected {OLDEST[0]}.{OLDEST[1]} or newer")
    if "Plugins:" in answer and not _ADAPTER.search(answer):
        raise _error(str(path), f"is dbt {version} without dbt-postgres", "install it there")
    return version


def _answer(path: Path) -> str:
    environment = foreign_environment(os.environ)  # noqa: TID251  # a child's environment
    try:
        with subprocess.Popen(
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        ) as process:
            return _limited_answer(process)
    except OSError as error:
        raise _error(str(path), f"can't be run: {error.strerror}") from error


def _limited_answer(process: subprocess.Popen[bytes]) -> str:
    """Return what it prints; end a program that prints without end, or waits."""
    timer = _killer(process)
    timer.start()
    try:
        assert process.stdout  # noqa: S101  # a pipe
        answer = process.stdout.read(ANSWER_BYTES)
    finally:
        timer.cancel()
        _kill(process)
    return answer.decode(errors="replace")


def _killer(process: subprocess.Popen[bytes]) -> threading.Timer:
    timer = threading.Timer(VERSION_SECONDS, _kill, [process])
    timer.daemon = True
    return timer


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _memory() -> Path:
    return settings().state_dir / "dbt" / "executable.json"


def _stored(identity: list[int | str]) -> DbtExecutable | None:
    try:
        document = json.loads(_memory().read_text())
        return DbtExecutable(**document["found"]) if document["of"] == identity else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _store(identity: list[int | str], found: DbtExecutable) -> None:
    """Store the answer; without it, the next run asks again."""
    temporary = _memory().with_suffix(f".{os.getpid()}")
    try:
        create_private(temporary.parent)
        temporary.write_text(json.dumps({"of": identity, "found": asdict(found)}))
        temporary.replace(_memory())
    except OSError:
        return


def _error(name: str, problem: str, expected: str = EXPECTED) -> DbtExecutableError:
    return DbtExecutableError(f"{VARIABLE}={one_line(name, 200)} {problem}; {expected}")
