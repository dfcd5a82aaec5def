"""Prometheus' own tool, where this machine has it: no wheel brings it."""

import shutil
import subprocess

import pytest


def promtool(*arguments: str, given: str = "") -> str:
    """Its output; the test is skipped without it, and fails if it finds something wrong."""
    command = shutil.which("promtool")
    if command is None:
        pytest.skip("promtool is not on PATH (Debian has it in its package prometheus)")
    done = subprocess.run(
        [command, *arguments], input=given, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
