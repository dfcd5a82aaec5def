"""Check whether dbt can parse its project, so that an error is found before the next scheduled run.

Reads the project's files. Runs ``dbt parse`` in a child process only after a file changed, because it takes
seconds of processor time. Writes the result to ``dbt-check.json`` in the state folder, keyed by the names,
sizes and times of the files, so repeating it costs nothing.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from analytics_worker.settings import settings
from analytics_worker.text import one_line
from flows.monitoring.checks.runner import Finding

PARSE_TIMEOUT_SECONDS = 60.0
PLACEHOLDERS = {"DBT_HOST": "localhost", "DBT_USER": "nobody", "DBT_DBNAME": "nothing"}
"""Parsing connects to nothing, but renders profiles.yml."""
IGNORED_FOLDERS = {"target", "logs", "dbt_packages", "__pycache__"}
FIX = "Correct the file that the message names; `dbt parse` shows the full error."


def check_dbt() -> Finding:
    """Check the current files of the project."""
    project, profiles = settings().dbt_project_path, settings().profiles_dir
    for missing in (project / "dbt_project.yml", profiles / "profiles.yml"):
        if not missing.is_file():
            fix = "Correct DBT_PROJECT_PATH or DBT_PROFILES_DIR."
            return Finding("degraded", f"{missing} does not exist", fix)
    files = sorted({*_sources(project), profiles / "profiles.yml"})
    fingerprint = _fingerprint(files)
    cached = _cached_problem(fingerprint)
    problem = _parse(project, profiles) if cached is None else cached
    if cached is None:
        _cache_problem(fingerprint, problem)
    if problem:
        return Finding("degraded", problem, FIX)
    detail = "parsed" if cached is None else "unchanged since it was parsed"
    return Finding("healthy", f"{project.name}: {len(files)} files, {detail}")


def _sources(project: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(project):
        names[:] = [
            name for name in names if name not in IGNORED_FOLDERS and not name.startswith(".")
        ]
        yield from (Path(folder) / file for file in files)


def _fingerprint(files: list[Path]) -> str:
    digest = hashlib.sha256(version("dbt-core").encode())
    for file in files:
        status = file.stat()
        digest.update(f"{file}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _cache_file() -> Path:
    return settings().state_dir / "dbt-check.json"


def _cached_problem(fingerprint: str) -> str | None:
    """Return the problem of these files, empty if there is none; None if they were not parsed yet."""
    try:
        cached = json.loads(_cache_file().read_text())
    except (OSError, ValueError):
        return None
    return cached["problem"] if cached.get("fingerprint") == fingerprint else None


def _cache_problem(fingerprint: str, problem: str) -> None:
    path = _cache_file()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}")
    temporary.write_text(json.dumps({"fingerprint": fingerprint, "problem": problem}))
    temporary.replace(path)


def _parse(project: Path, profiles: Path) -> str:
    """Return the error of ``dbt parse``; empty if there is none."""
    with tempfile.TemporaryDirectory(prefix="dbt-check-") as folder:
        arguments = ["--project-dir", str(project), "--profiles-dir", str(profiles)]
        arguments += ["--target-path", folder, "--log-path", folder]
        completed = subprocess.run(
            [
                sys.executable,
                "-m",
                "dbt.cli.main",
                "--quiet",
                "--no-use-colors",
                "parse",
                *arguments,
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=PARSE_TIMEOUT_SECONDS,
            env=PLACEHOLDERS | dict(os.environ) | {"DO_NOT_TRACK": "1"},  # noqa: TID251  # of the child process
        )
    if not completed.returncode:
        return ""
    return one_line(
        completed.stdout.strip()
        or completed.stderr.strip()
        or f"dbt exited with status {completed.returncode}"
    )
