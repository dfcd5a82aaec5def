"""Files stay as short as CONTRIBUTING.md says."""

import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAX_LINES = 250
NOT_OURS = {"build", "dbt_packages", "dist", "target", "venv"}
"""Folders that tools make; those with a dot in front, such as .venv, are left out, too."""


def python_files() -> Iterator[Path]:
    for folder, inner, files in os.walk(ROOT):
        inner[:] = [name for name in inner if not name.startswith(".") and name not in NOT_OURS]
        yield from (Path(folder, name) for name in files if name.endswith(".py"))


def test_no_file_is_too_long() -> None:
    """Split a longer one by subject."""
    lines = {file: file.read_bytes().count(b"\n") for file in python_files()}
    assert Path(__file__).resolve() in lines
    too_long = {str(file.relative_to(ROOT)): n for file, n in lines.items() if n > MAX_LINES}
    assert too_long == {}
