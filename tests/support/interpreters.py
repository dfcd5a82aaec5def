"""The supported Pythons of this machine: those on PATH, and those that pyenv and uv have installed."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

SUPPORTED = [(3, minor) for minor in (11, 12, 13)]


def interpreters() -> dict[str, str]:
    """Paths by version; of several with one version the first."""
    interpreters = {_version(path): path for path in reversed(list(_candidates()))}
    return {
        version: path
        for version, path in sorted(interpreters.items())
        if tuple(map(int, version.split(".")[:2])) in SUPPORTED
    }


def _candidates() -> Iterator[str]:
    yield sys.executable
    for minor in SUPPORTED:
        if path := shutil.which(f"python3.{minor[1]}", path=os.defpath + ":/usr/local/bin"):
            yield path
    for folder in (".pyenv/versions/*/bin/python3", ".local/share/uv/python/*/bin/python3"):
        yield from map(str, sorted(Path.home().glob(folder)))


def _version(path: str) -> str:
    """``3.11.7``; 0.0 for one that does not start."""
    command = [path, "-I", "-c", "import platform; print(platform.python_version())"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60
    )  # found above
    return done.stdout.strip() or "0.0"
