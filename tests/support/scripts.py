"""Write programs of tests."""

import stat
import sys
from pathlib import Path

PYTHON = f"""#!/bin/sh
'''exec' "{sys.executable}" "$0" "$@"
' '''
"""
"""The first lines of a Python program; those of the kernel take no path with spaces."""


def write_program(path: Path, script: str) -> Path:
    """Write a program that can be run."""
    path.write_text(script)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path
