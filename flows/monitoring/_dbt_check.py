"""Whether dbt can parse its project: a typing error shows now, not at 02:00.

Reads the project's files; runs ``dbt parse`` in a child only after one of them changed, because it
takes seconds of processor time. Writes its verdict to ``dbt-check.json`` in the state folder, keyed by
the files' names, sizes and times, so repeating it is free.
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
from flows.monitoring._checks import Finding

PARSE_SECONDS = 60.0
PLACEHOLDERS = {"DBT_HOST": "localhost", "DBT_USER": "nobody", "DBT_DBNAME": "nothing"}
"""Parsing connects to nothing, but renders profiles.yml."""
UNRELATED = {"target", "logs", "dbt_packages", "__pycache__"}
FIX = "Correct the file that the message names; `dbt parse` shows all of it."


def check_dbt() -> Finding:
    """The verdict on the files as they are now."""
    project, profiles = settings().dbt_project_path, settings().profiles_dir
    for missing in (project / "dbt_project.yml", profiles / "profiles.yml"):
        if not missing.is_file():
            fix = "Correct DBT_PROJECT_PATH or DBT_PROFILES_DIR."
            return Finding("degraded", f"{missing} does not exist", fix)
    files = sorted({*_sources(project), profiles / "profiles.yml"})
    fingerprint = _fingerprint(files)
    known = _remembered(fingerprint)
    problem = _parse(project, profiles) if known is None else known
    if known is None:
        _remember(fingerprint, problem)
    if problem:
        return Finding("degraded", problem, FIX)
    again = "parsed" if known is None else "unchanged since it was parsed"
    return Finding("healthy", f"{project.name}: {len(files)} files, {again}")


def _sources(project: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(project):
        names[:] = [name for name in names if name not in UNRELATED and not name.startswith(".")]
        yield from (Path(folder) / file for file in files)


def _fingerprint(files: list[Path]) -> str:
    digest = hashlib.sha256(version("dbt-core").encode())
    for file in files:
        status = file.stat()
        digest.update(f"{file}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _memory() -> Path:
    return settings().state_dir / "dbt-check.json"


def _remembered(fingerprint: str) -> str | None:
    """The problem of these files, empty if there was none; None if they were never parsed."""
    try:
        verdict = json.loads(_memory().read_text())
    except (OSError, ValueError):
        return None
    return verdict["problem"] if verdict.get("fingerprint") == fingerprint else None


def _remember(fingerprint: str, problem: str) -> None:
    path = _memory()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}")
    temporary.write_text(json.dumps({"fingerprint": fingerprint, "problem": problem}))
    temporary.replace(path)


def _parse(project: Path, profiles: Path) -> str:
    """What dbt says against the project; empty if nothing."""
    with tempfile.TemporaryDirectory(prefix="dbt-check-") as folder:
        places = ["--project-dir", str(project), "--profiles-dir", str(profiles)]
        places += ["--target-path", folder, "--log-path", folder]
        done = subprocess.run(
            [sys.executable, "-m", "dbt.cli.main", "--quiet", "--no-use-colors", "parse", *places],
            capture_output=True,
            text=True,
            check=False,
            timeout=PARSE_SECONDS,
            env=PLACEHOLDERS | dict(os.environ) | {"DO_NOT_TRACK": "1"},  # noqa: TID251  # a child's
        )
    if not done.returncode:
        return ""
    return one_line(
        done.stdout.strip() or done.stderr.strip() or f"dbt ended with {done.returncode}"
    )
