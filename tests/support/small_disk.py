"""A disk of one megabyte, for tests of full and read-only disks; only root may mount it."""

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return the folder of an empty disk; skip where nothing can be mounted."""
    folder = tmp_path / "small disk"
    folder.mkdir()
    mounted = _run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder)
    if mounted.returncode:
        pytest.skip(f"mounting a disk: {mounted.stderr.strip()}")
    yield folder
    assert _run("umount", "--lazy", folder).returncode == 0


def fill(disk: Path) -> None:
    """Leave no space."""
    with suppress(OSError), (disk / "filler").open("wb", 0) as file:
        while True:
            file.write(bytes(4096))


def make_read_only(disk: Path) -> None:
    """Let nothing be written any more."""
    assert _run("mount", "-o", "remount,ro", disk).returncode == 0


def _run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(command), capture_output=True, text=True, check=False)
