"""The folders of one dbt run, below ``<state_dir>/dbt``.

Each run has its own target folder, so that runs never share files. The parse cache of the last
successful run is copied in, and replaced atomically afterwards, which makes later runs fast.
"""

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import get_run_logger

from analytics_worker import run_lease
from analytics_worker.dbt_executable import checked_executable
from analytics_worker.disk_problems import named_disk_errors
from analytics_worker.errors import PermanentError
from analytics_worker.settings import settings
from flows.dbt._dbt_artifacts import RUN_RESULTS, BrokenArtifactError, read_results

PARSE_CACHE = "partial_parse.msgpack"
ABANDONED_AFTER_SECONDS = 2 * 24 * 3600


class MissingProjectError(PermanentError):
    """The configured dbt project does not exist."""


@dataclass(frozen=True)
class Workspace:
    """Folders of one run.

    Attributes:
        project: Folder of dbt_project.yml.
        profiles: Folder of profiles.yml.
        folder: Folder of this run; deleted when the run ends.
    """

    project: Path
    profiles: Path
    folder: Path

    @property
    def target(self) -> Path:
        """Target folder of dbt."""
        return self.folder / "target"

    @property
    def previous(self) -> Path:
        """Results of the previous attempt, for ``dbt retry``."""
        return self.folder / "previous"

    def shared_lease(self) -> str | None:
        """Write the lease of the flow run to a file for the dbt process; None if it has none."""
        path = self.folder / "lease.json"
        return str(path) if run_lease.share(path) else None

    @property
    def errors(self) -> Path:
        """Standard error of dbt."""
        return self.folder / "stderr.log"

    @property
    def shared_cache(self) -> Path:
        """Parse cache of the project that runs share."""
        parts = [str(self.project), str(self.profiles), settings().dbt_executable or ""]
        key = hashlib.sha256("\0".join(filter(None, parts)).encode()).hexdigest()[:16]
        return dbt_state() / "warm" / key / PARSE_CACHE

    def manifest(self) -> dict[str, Any]:
        """Return the manifest of dbt; empty if dbt did not write all of it."""
        try:
            return json.loads((self.target / "manifest.json").read_bytes())
        except (OSError, ValueError):
            return {}

    def save_results(self) -> bool:
        """Save the results of this attempt for the next one; return False if `dbt retry` can't read them."""
        results = self.target / RUN_RESULTS
        if not results.exists():
            return False
        try:
            read_results(results)
        except BrokenArtifactError:
            results.unlink()
            shutil.rmtree(
                self.previous, ignore_errors=True
            )  # older than the results of this attempt
            return False
        self.previous.mkdir(exist_ok=True)
        results.replace(self.previous / results.name)
        return True

    def publish_cache(self) -> None:
        """Replace the shared parse cache with that of this run."""
        cache = self.target / PARSE_CACHE
        try:
            if cache.exists():
                publish(cache, self.shared_cache)
        except OSError as error:  # only an optimization: the next run parses all files
            get_run_logger().warning("could not store the parse cache of dbt: %s", error)


def dbt_state() -> Path:
    """Return the folder of all dbt files on this host."""
    return settings().state_dir / "dbt"


def publish(source: Path, destination: Path) -> None:
    """Copy a file atomically, so that readers never see a partial file."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=destination.parent, prefix=f".{destination.name}.")
    os.close(descriptor)
    try:
        shutil.copyfile(source, temporary)
        Path(temporary).replace(destination)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextmanager
def workspace() -> Generator[Workspace]:
    """Create a temporary workspace for one run of the configured project.

    Raises:
        MissingProjectError: dbt_project.yml or profiles.yml is missing.
        DbtExecutableError: DBT_EXECUTABLE names nothing that can run dbt.
        DiskError: the folder can't be written.
    """
    checked_executable()
    project, profiles = settings().dbt_project_path, settings().profiles_dir
    _require(project / "dbt_project.yml", "DBT_PROJECT_PATH")
    _require(profiles / "profiles.yml", "DBT_PROFILES_DIR")
    runs = dbt_state() / "runs"
    with named_disk_errors(dbt_state()):
        runs.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(runs.iterdir())
        with tempfile.TemporaryDirectory(dir=runs, ignore_cleanup_errors=True) as folder:
            created = Workspace(project, profiles, Path(folder))
            created.target.mkdir()
            _copy_parse_cache(created)
            yield created


def create_folder(parent: Workspace, name: str) -> Workspace:
    """Create a workspace for another command of the same run; its results stay apart."""
    created = Workspace(parent.project, parent.profiles, parent.folder / name)
    created.target.mkdir(parents=True, exist_ok=True)
    _copy_parse_cache(created)
    return created


def _require(path: Path, variable: str) -> None:
    if not path.is_file():
        raise MissingProjectError(f"No {path.name} found in {path.parent}. Set {variable}.")


def _copy_parse_cache(created: Workspace) -> None:
    for cache in (created.shared_cache, created.project / "target" / PARSE_CACHE):
        if cache.is_file():
            try:
                shutil.copyfile(cache, created.target / PARSE_CACHE)
            except OSError:  # only an optimization: without it, dbt parses all files
                (created.target / PARSE_CACHE).unlink(missing_ok=True)
            return


def _remove_abandoned(runs: Iterable[Path]) -> None:
    """Remove folders of runs that were killed before their cleanup."""
    for run in runs:
        try:
            age = time.time() - run.stat().st_mtime
        except FileNotFoundError:
            continue  # deleted meanwhile by its run
        if age > ABANDONED_AFTER_SECONDS:
            shutil.rmtree(run, ignore_errors=True)
