"""Check whether dbt can parse its project, so that an error is found before the next scheduled run.

Reads the project's files. Runs ``dbt parse`` in a child process with the environment of the flows. It takes
seconds of processor time, so a project that was parsed is parsed again only after a file, an installed package
or a ``DBT_*`` variable changed; one with a problem is parsed each time, because the cause may be elsewhere.
Writes a fingerprint of these to ``dbt-check.json`` in the state folder, so repeating it costs nothing.
"""

import hashlib
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

from analytics_worker.database.dbt_environment import dbt_environment
from analytics_worker.dbt_executable import DbtExecutableError, checked_executable, dbt_command
from analytics_worker.settings import settings
from analytics_worker.text import one_line
from flows.monitoring.checks.runner import Finding

PARSE_TIMEOUT_SECONDS = 60.0
PLACEHOLDERS = {
    "DBT_HOST": "localhost",
    "DBT_PORT": "5432",
    "DBT_USER": "nobody",
    "DBT_ENV_SECRET_PASSWORD": "",
    "DBT_DBNAME": "nothing",
    "DBT_SSLMODE": "prefer",
}
"""Without a configured database: parsing connects to nothing, but renders profiles.yml."""
IGNORED_FOLDERS = {"target", "logs", "__pycache__"}
_ENV_VAR = re.compile(r"""env_var\(\s*['"]([^'"]+)""")
PACKAGES = {"dbt_packages", "dbt_modules", "dbt_internal_packages"}
"""Installed packages never change in place: their folder is one file."""
FIX = "Correct the file that the message names; `dbt parse` shows the full error."


def check_dbt() -> Finding:
    """Check the current files of the project."""
    project, profiles = settings().dbt_project_path, settings().profiles_dir
    for missing in (project / "dbt_project.yml", profiles / "profiles.yml"):
        if not missing.is_file():
            fix = "Correct DBT_PROJECT_PATH or DBT_PROFILES_DIR."
            return Finding("degraded", f"{missing} does not exist", fix)
    try:
        checked_executable()
    except DbtExecutableError as error:
        return Finding("degraded", str(error), "Correct or unset DBT_EXECUTABLE.")
    files = sorted({*_sources(project), profiles / "profiles.yml"})
    environment = PLACEHOLDERS | dbt_environment()
    fingerprint = _fingerprint(files, environment)
    is_parsed = _parsed_fingerprint() == fingerprint
    problem = "" if is_parsed else _parse(project, profiles, environment)
    if problem:
        return Finding("degraded", problem, FIX)
    _store_fingerprint(fingerprint)
    detail = "unchanged since it was parsed" if is_parsed else "parsed"
    return Finding("healthy", f"{project.name}: {len(files)} files, {detail}")


def _sources(project: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(project):
        names[:] = [
            name for name in names if name not in IGNORED_FOLDERS and not name.startswith(".")
        ]
        for package in PACKAGES & set(names):
            names.remove(package)
            yield from (Path(folder) / package).iterdir()
        yield from (Path(folder) / file for file in files)


def _fingerprint(files: list[Path], environment: Mapping[str, str]) -> str:
    digest = hashlib.sha256(_dbt_version().encode())
    for file in files:
        status = file.stat() if file.exists() else file.lstat()
        digest.update(
            f"{file}\0{status.st_size}\0{status.st_mtime_ns}\n".encode("utf-8", "surrogateescape")
        )
    names = {name for file in files if file.suffix == ".yml" for name in _variables(file)}
    for name in sorted({*names, *(name for name in environment if name.startswith("DBT_"))}):
        digest.update(f"{name}\0{environment.get(name)}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _dbt_version() -> str:
    """Return what identifies the dbt that parses: its version, and which one it is if it is another."""
    other = checked_executable()
    return f"{other.path} {other.version}" if other else version("dbt-core")


def _variables(file: Path) -> list[str]:
    """Return the environment variables that profiles.yml or dbt_project.yml names."""
    if file.name not in {"profiles.yml", "dbt_project.yml"}:
        return []
    return _ENV_VAR.findall(file.read_text(errors="replace"))


def _cache_file() -> Path:
    return settings().state_dir / "dbt-check.json"


def _parsed_fingerprint() -> str | None:
    """Return the fingerprint of the project that was parsed last without a problem."""
    try:
        cached = json.loads(_cache_file().read_text())
        return None if cached["problem"] else cached["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _store_fingerprint(fingerprint: str) -> None:
    path = _cache_file()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}")
    temporary.write_text(json.dumps({"fingerprint": fingerprint, "problem": ""}))
    temporary.replace(path)


def _parse(project: Path, profiles: Path, environment: Mapping[str, str]) -> str:
    """Return the error of ``dbt parse``; empty if there is none."""
    with tempfile.TemporaryDirectory(prefix="dbt-check-") as folder:
        arguments = ["--project-dir", str(project), "--profiles-dir", str(profiles)]
        arguments += ["--target-path", folder, "--log-path", folder]
        command, environment = dbt_command(environment)
        completed = subprocess.run(
            [
                *command,
                "--quiet",
                "--no-use-colors",
                "parse",
                *arguments,
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=PARSE_TIMEOUT_SECONDS,
            env=environment,
        )
    if not completed.returncode:
        return ""
    return one_line(
        completed.stdout.strip()
        or completed.stderr.strip()
        or f"dbt exited with status {completed.returncode}"
    )
