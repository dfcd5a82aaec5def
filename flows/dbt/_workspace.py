"""The folders of one dbt run, below ``<state_dir>/dbt``.

Each run writes into a target folder of its own, so that runs never see each other's files. The
parser's cache is copied in from the last good run and put back atomically: a second run is fast.
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

from analytics_worker.errors import PermanentError
from analytics_worker.settings import settings

PARSE_CACHE = "partial_parse.msgpack"
ABANDONED_AFTER_SECONDS = 2 * 24 * 3600


class MissingProjectError(PermanentError):
    """There is no dbt project where the settings say."""


@dataclass(frozen=True)
class Workspace:
    """Where one run reads and writes.

    Attributes:
        project: Folder of dbt_project.yml.
        profiles: Folder of profiles.yml.
        folder: This run's own folder; gone when the run has ended.
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
        """Results of the attempt before, for ``dbt retry``."""
        return self.folder / "previous"

    @property
    def errors(self) -> Path:
        """What dbt wrote to standard error."""
        return self.folder / "stderr.log"

    @property
    def warm(self) -> Path:
        """The project's parse cache between runs."""
        key = hashlib.sha256(f"{self.project}\0{self.profiles}".encode()).hexdigest()[:16]
        return dbt_state() / "warm" / key / PARSE_CACHE

    def manifest(self) -> dict[str, Any]:
        """What dbt parsed; empty if it did not get that far."""
        path = self.target / "manifest.json"
        return json.loads(path.read_bytes()) if path.exists() else {}

    def keep_results(self) -> bool:
        """Put this attempt's results where the next one finds them; False if there are none."""
        results = self.target / "run_results.json"
        if not results.exists():
            return False
        self.previous.mkdir(exist_ok=True)
        results.replace(self.previous / results.name)
        return True

    def publish_cache(self) -> None:
        """Let the next run start from this run's parse cache."""
        made = self.target / PARSE_CACHE
        if made.exists():
            publish(made, self.warm)


def dbt_state() -> Path:
    """Folder of everything that dbt leaves on this host."""
    return settings().state_dir / "dbt"


def publish(source: Path, destination: Path) -> None:
    """Copy a file so that nobody ever reads half of it."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=destination.parent, prefix=f".{destination.name}.")
    os.close(descriptor)
    shutil.copyfile(source, temporary)
    Path(temporary).replace(destination)


@contextmanager
def workspace() -> Generator[Workspace]:
    """A fresh folder for one run of the configured project.

    Raises:
        MissingProjectError: no dbt_project.yml or no profiles.yml.
    """
    project, profiles = settings().dbt_project_path, settings().profiles_dir
    _require(project / "dbt_project.yml", "DBT_PROJECT_PATH")
    _require(profiles / "profiles.yml", "DBT_PROFILES_DIR")
    runs = dbt_state() / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(runs.iterdir())
    with tempfile.TemporaryDirectory(dir=runs, ignore_cleanup_errors=True) as folder:
        made = Workspace(project, profiles, Path(folder))
        made.target.mkdir()
        _warm_up(made)
        yield made


def _require(path: Path, variable: str) -> None:
    if not path.is_file():
        raise MissingProjectError(f"No {path.name} in {path.parent}. Set {variable}.")


def _warm_up(made: Workspace) -> None:
    for cache in (made.warm, made.project / "target" / PARSE_CACHE):
        if cache.is_file():
            shutil.copyfile(cache, made.target / PARSE_CACHE)
            return


def _remove_abandoned(runs: Iterable[Path]) -> None:
    """Folders of runs that were killed before they could clean up."""
    for run in runs:
        try:
            age = time.time() - run.stat().st_mtime
        except FileNotFoundError:
            continue  # its run has just ended
        if age > ABANDONED_AFTER_SECONDS:
            shutil.rmtree(run, ignore_errors=True)
