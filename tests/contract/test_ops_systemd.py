"""The units of ops/systemd are valid, hardened, and start a service that reports to systemd."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from analytics_worker.settings import project_root
from tests.support.ops_files import UNITS, unit

MAX_EXPOSURE = 1.5
"""Of `systemd-analyze security`, from 0 to 10."""


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """The units, with programs of this checkout instead of the folder where they are installed."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not on PATH (Debian has it in its package systemd)")
    installed = tmp_path / "installed"  # in a path without spaces, as units need it
    installed.symlink_to(project_root())
    script = tmp_path / "analytics-worker"
    script.symlink_to(Path(sys.executable).parent / "analytics-worker")
    for path in UNITS:
        text = path.read_text()
        text = text.replace("/opt/analytics-worker/.venv/bin/analytics-worker", str(script))
        (tmp_path / path.name).write_text(text.replace("/opt/analytics-worker", str(installed)))
    return sorted(tmp_path.glob("*.service"))


def analyzed(*arguments: str | Path) -> str:
    """What systemd-analyze finds; it must accept the unit."""
    tool = shutil.which("systemd-analyze") or ""
    done = subprocess.run(
        [tool, *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_units_are_valid(units: list[Path]):
    """Unknown options are only warnings, so there must be none."""
    assert [path.name for path in units] == [path.name for path in UNITS]
    assert analyzed("verify", "--man=no", *units) == ""


def test_units_are_hardened(units: list[Path]):
    for path in units:
        output = analyzed("security", "--offline=yes", "--no-pager", path)
        exposure = re.search(r"exposure level for .*: ([0-9.]+)", output)
        assert exposure, output
        assert float(exposure[1]) <= MAX_EXPOSURE, output


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_units_start_a_command_that_reports(path: Path):
    options = unit(path)
    assert options["ExecStart"][0].split()[1] in {"server", "worker", "exporter"}
    assert options["Type"] == ["notify"]
    assert int(options["WatchdogSec"][0]) > 0
    assert "@resources" not in " ".join(options["SystemCallFilter"])  # runs limit their memory
