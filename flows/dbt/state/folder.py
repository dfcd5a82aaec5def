"""The folders of kept states, one below the other by time: ``<DBT_STATE_DIR>/<project>/<time>``.

Each folder has the newest manifest.json, run_results.json and sources.json of its time. A folder gets its
name when it is complete, and is never changed afterwards, so that a reader never sees a partial one.
"""

import re
import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import yaml

from analytics_worker.errors import PermanentError
from analytics_worker.settings import settings

PRODUCTION = "production"
MANIFEST, RESULTS, SOURCES = "manifest.json", "run_results.json", "sources.json"
ARTIFACTS = (MANIFEST, RESULTS, SOURCES)
FIRST_RUN = {
    MANIFEST: "run `run_dbt_models` or `dbt_build` of the whole project once without a failed node",
    RESULTS: "run `run_dbt_models` or `dbt_build` once",
    SOURCES: "run `dbt_freshness_check` once, and `run_dbt_models` or `dbt_build` after it",
}
"""How to get a state of production that has the file."""
_TIME = re.compile(r"\d{8}T\d{12}Z")


class NoStateError(PermanentError):
    """No state of production is kept on this host."""


def project_name(project: Path) -> str:
    """Return the name of the dbt project as a name of a folder; dbt reports a file that is not valid."""
    try:
        document = yaml.safe_load((project / "dbt_project.yml").read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        document = None
    name = document.get("name") if isinstance(document, dict) else None
    return re.sub(r"\W", "_", str(name or project.name))


def states_folder(project: str) -> Path:
    """Return the folder of the states of a project."""
    return settings().dbt_state_dir / project


def states(project: str) -> list[Path]:
    """Return the kept states, oldest first."""
    folders = states_folder(project).glob("*Z")
    return sorted(folder for folder in folders if _TIME.fullmatch(folder.name))


def production_state(project: Path, needed: str = RESULTS) -> Path:
    """Return the newest kept state of the project in this folder that has the needed file.

    Raises:
        NoStateError: there is none; the message says which run keeps one.
    """
    name = project_name(project)
    kept = [folder for folder in states(name) if (folder / needed).is_file()]
    if not kept:
        raise NoStateError(
            f"No state of production of the dbt project {name!r} with {needed} is kept in"
            f" {settings().dbt_state_dir} yet. To keep one, {FIRST_RUN[needed]}; or give --state a folder"
            " that has it (docs/decisions/dbt-state.md)."
        )
    return kept[-1]


def keep_files(project: str, files: Mapping[str, bytes]) -> Path:
    """Keep a state with these files, and the others as they were; return its folder."""
    root = states_folder(project)
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    previous = states(project)[::-1]  # newest first
    part = Path(tempfile.mkdtemp(dir=root, prefix=".part-"))
    try:
        for name in ARTIFACTS:
            if name in files:
                (part / name).write_bytes(files[name])
            elif kept := next((each / name for each in previous if (each / name).is_file()), None):
                shutil.copyfile(kept, part / name)
        return part.rename(root / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}Z")
    except OSError:
        shutil.rmtree(part, ignore_errors=True)
        raise


def remove_old(project: str) -> list[Path]:
    """Remove all but the newest states; return the removed folders."""
    old = states(project)[: -settings().dbt_states_kept]
    for folder in old:
        shutil.rmtree(folder, ignore_errors=True)
    return old
