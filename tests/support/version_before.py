"""A checkout of the version before: of the commit before the newest migration was added.

Its code runs in this environment, if it needs the same packages.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

from analytics_worker.migrations import head
from tests.support.processes import ROOT

CLI = ["-c", "from analytics_worker.cli import main; main()"]
MIGRATIONS = "analytics_worker/migrations/versions"


def check_out_version_before(folder: Path) -> Path:
    """Fill the folder; skip where the history of this checkout does not have it, or its packages differ."""
    added = _git("log", "-1", "--diff-filter=A", "--format=%H", "--", f"{MIGRATIONS}/{head()}.py")
    files = _git("archive", f"{added.decode().strip()}^") if added else b""
    if not files:
        pytest.skip("this checkout has no history with the version before")
    folder.mkdir()
    subprocess.run(["tar", "-x", "-C", folder], input=files, check=True)  # noqa: S607
    lock = "requirements.lock"
    if (folder / lock).read_bytes() != (ROOT / lock).read_bytes():
        pytest.skip("the version before needs other packages")
    return folder


def _git(*arguments: str) -> bytes:
    git = shutil.which("git")
    if git is None:
        return b""
    return subprocess.run([git, "-C", ROOT, *arguments], capture_output=True, check=False).stdout
