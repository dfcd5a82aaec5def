"""Run programs of other libraries, in environments that are created once below the state folder.

Each has its packages in ``requirements-<name>.txt``. Writes ``.state/benchmarks/<name>``. Safe to repeat: a
finished environment is reused.
"""

import hashlib
import os
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from analytics_worker.settings import project_root


def start(command: list[str], variables: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """Start a program that is spoken to by lines."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.Popen(
        command,
        cwd=project_root(),
        env={**inherited, **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


@contextmanager
def running(
    command: list[str], variables: Mapping[str, str]
) -> Generator["subprocess.Popen[bytes]"]:
    """Run a program of that environment until the block ends."""
    process = start(command, variables)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=30)


def environment_python(name: str) -> str:
    """Return the environment's Python; it is created again when the requirements change."""
    requirements = Path(__file__).parent / f"requirements-{name}.txt"
    folder = project_root() / ".state" / "benchmarks" / name
    python, mark = folder / "bin" / "python", folder / "requirements"
    selected = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if not mark.exists() or mark.read_text() != selected:
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        install = [python, "-m", "pip", "install", "--quiet", "-r", requirements]
        subprocess.run(install, check=True)
        mark.write_text(selected)
    return str(python)
