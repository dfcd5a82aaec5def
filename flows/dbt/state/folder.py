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


def production_state(project: Path) -> Path:
    """Return the newest kept state of the project in this folder.

    Raises:
        NoStateError: there is none.
    """
    name = project_name(project)
    kept = states(name)
    if not kept:
        raise NoStateError(
            f"No state of production of the dbt project {name!r} is kept in {settings().dbt_state_dir} yet."
            " Run `run_dbt_models` or `dbt_build` once, which keeps it, or give --state a folder below the"
            " dbt project (docs/decisions/dbt-state.md)."
        )
    return kept[-1]


def keep_files(project: str, files: Mapping[str, bytes]) -> Path:
    """Keep a state with these files, and the others as they were; return its folder."""
    root = states_folder(project)
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    previous = states(project)[-1:]
    part = Path(tempfile.mkdtemp(dir=root, prefix=".part-"))
    try:
        for name in ARTIFACTS:
            if name in files:
                (part / name).write_bytes(files[name])
            elif previous and (previous[0] / name).is_file():
                shutil.copyfile(previous[0] / name, part / name)
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
