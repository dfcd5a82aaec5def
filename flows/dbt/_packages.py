"""Find out whether `dbt deps` has to run, and explain why it failed.

Reads packages.yml, dependencies.yml and package-lock.yml of the dbt project. Writes a hash of them beside
the parse cache after an installation, so that unchanged packages are not downloaded again.
"""

import hashlib
import re
from pathlib import Path
from typing import Any, cast

import yaml

from analytics_worker.text import one_line
from flows.dbt._workspace import Workspace

DECLARATIONS = ("packages.yml", "dependencies.yml")
LOCK = "package-lock.yml"
MAX_REASON_CHARACTERS = 200
_NO_NETWORK = re.compile(
    r"External connection exception|could not resolve host|unable to access|failed to connect"
    r"|network is unreachable|could not read from remote repository",
    re.IGNORECASE,
)


def packages_changed(workspace: Workspace) -> bool:
    """Whether the project declares other packages than the last installation on this host."""
    project = workspace.project
    if not any((project / name).is_file() for name in DECLARATIONS):
        return False
    memory = _memory(workspace)
    remembered = memory.read_text() if memory.is_file() else ""
    return remembered != _fingerprint(project) or not _install_folder(project).is_dir()


def remember_packages(workspace: Workspace) -> None:
    """Remember the packages that are installed now; dbt may have written the lock file."""
    memory = _memory(workspace)
    memory.parent.mkdir(parents=True, exist_ok=True)
    memory.write_text(_fingerprint(workspace.project))


def install_error(error: str, project: Path) -> str:
    """Return one line about a failed installation, with the fix if the network is missing."""
    reason = one_line(error, MAX_REASON_CHARACTERS)
    if not _NO_NETWORK.search(error):
        return f"dbt deps failed, so dbt was not run: {reason}"
    return (
        "dbt deps can't download the packages of the dbt project, so dbt was not run. Without a network,"
        f" run `dbt deps` on another host, copy {_install_folder(project)} and {LOCK} to this one, and"
        f" remove deps from DBT_BEFORE_MODELS: {reason}"
    )


def _memory(workspace: Workspace) -> Path:
    return workspace.shared_cache.with_name("packages.sha256")


def _fingerprint(project: Path) -> str:
    digest = hashlib.sha256()
    for name in (*DECLARATIONS, LOCK):
        file = project / name
        content = file.read_bytes() if file.is_file() else b""
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _install_folder(project: Path) -> Path:
    """Return the folder of the packages; the project itself if only dbt can render the name."""
    document = cast(
        "dict[str, Any]", yaml.safe_load((project / "dbt_project.yml").read_text()) or {}
    )
    name = str(document.get("packages-install-path") or "dbt_packages")
    return project if "{{" in name else project / name
