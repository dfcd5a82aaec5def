"""Say which folder can't be written where dbt's own error names none. Reads the file system; writes nothing."""

import re
from pathlib import Path

from analytics_worker.disk_problems import disk_problem
from flows.dbt._dbt_artifacts import DbtOutcome

_NUMBER = re.compile(r"\[Errno (\d+)\]")


def name_folder(outcome: DbtOutcome, folder: Path) -> None:
    """Let an error of the file system that ended dbt begin with the folder that dbt writes to."""
    found = _NUMBER.search(outcome.error or "")
    problem = disk_problem(OSError(int(found[1]), ""), folder) if found else None
    if problem:
        outcome.error = f"{problem} ({outcome.error})"
