"""List what a version of the dbt project would rebuild, compared with a kept state, and why.

Runs ``dbt ls`` in a child process; reads the project and the state. Writes nothing but temporary files.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from analytics_worker.database.dbt_environment import dbt_environment
from analytics_worker.errors import PermanentError
from analytics_worker.text import one_line
from flows.dbt._environment import redact, secrets
from flows.dbt._run_results import read_document
from flows.dbt.state.folder import MANIFEST

LIMIT_SECONDS = 300
MAX_NAMES = 3
BUILT = frozenset({"model", "seed", "snapshot"})
ASPECTS = {
    "checksum": "body",
    "unrendered_config": "config",
    "relation_name": "relation",
    "contract": "contract",
}
Manifest = Mapping[str, Any]


class DiffError(PermanentError):
    """dbt can't compare the project with the state; the message is that of dbt."""


class Change(NamedTuple):
    """A node that would be rebuilt."""

    unique_id: str
    resource_type: str
    name: str
    reason: str


def diff(project: Path, profiles: Path, state: Path, target: str | None = None) -> list[Change]:
    """Return the nodes that ``state:modified+`` selects, modified ones first.

    Raises:
        DiffError: dbt can't parse the project or read the state.
    """
    before = read_document(state / MANIFEST)
    if before is None:
        raise DiffError(f"{state} has no {MANIFEST}; expected the folder of a dbt run")
    with tempfile.TemporaryDirectory(prefix="dbt-diff-") as folder:
        selected = _select(project, profiles, state, Path(folder), target)
        after = read_document(Path(folder) / MANIFEST) or {}
    nodes = _nodes(after)
    reasons = {each: why for each in selected if (why := _reason(each, before, after))}
    changes = [_change(each, reasons, nodes) for each in selected if each in nodes]
    return sorted(changes, key=lambda change: (change.unique_id not in reasons, change.unique_id))


def removed(project: Path, state: Path) -> list[str]:
    """Return the models, seeds and snapshots of the state whose file is not in the project any more."""
    manifest = read_document(state / MANIFEST) or {}
    name = manifest.get("metadata", {}).get("project_name")
    return sorted(
        node["name"]
        for node in _nodes(manifest).values()
        if node["resource_type"] in BUILT
        and node["package_name"] == name
        and not (project / node["original_file_path"]).exists()
    )


def _select(
    project: Path, profiles: Path, state: Path, folder: Path, target: str | None
) -> list[str]:
    environment = dbt_environment()
    completed = subprocess.run(
        [
            *(sys.executable, "-m", "dbt.cli.main", "--quiet", "--no-use-colors", "ls"),
            *("--select", "state:modified+", "--state", str(state)),
            *("--output", "json", "--output-keys", "unique_id"),
            *("--project-dir", str(project), "--profiles-dir", str(profiles)),
            *("--target-path", str(folder), "--log-path", str(folder)),
            *(["--target", target] if target else []),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_SECONDS,
        env=environment,
    )
    if completed.returncode:
        output = completed.stdout.strip() or completed.stderr.strip()
        raise DiffError(f"dbt ls: {one_line(redact(output, secrets(environment, profiles)), 500)}")
    lines = [line for line in completed.stdout.splitlines() if line.startswith("{")]
    return [json.loads(line)["unique_id"] for line in lines]


def _nodes(manifest: Manifest) -> dict[str, Any]:
    return {**manifest.get("nodes", {}), **manifest.get("unit_tests", {})}


def _reason(unique_id: str, before: Manifest, after: Manifest) -> str:
    """Return what changed in the node itself; empty if only nodes above it changed."""
    old, new = _nodes(before).get(unique_id), _nodes(after).get(unique_id, {})
    if old is None:
        return "new"
    aspects = [name for key, name in ASPECTS.items() if old.get(key) != new.get(key)]
    used: list[str] = new.get("depends_on", {}).get("macros", [])
    macros = [each for each in used if _macro(before, each) != _macro(after, each)]
    if macros:
        aspects.append(f"macro {', '.join(each.split('.')[-1] for each in macros[:MAX_NAMES])}")
    return ", ".join(aspects)


def _macro(manifest: Manifest, unique_id: str) -> str | None:
    return manifest.get("macros", {}).get(unique_id, {}).get("macro_sql")


def _change(unique_id: str, reasons: Mapping[str, str], nodes: Mapping[str, Any]) -> Change:
    reason = reasons.get(unique_id)
    if reason is None:
        above = sorted(
            nodes[each]["name"] for each in _ancestors(unique_id, nodes) if each in reasons
        )
        more = f" and {len(above) - MAX_NAMES} more" if len(above) > MAX_NAMES else ""
        reason = f"reads {', '.join(above[:MAX_NAMES])}{more}" if above else "modified"
    node = nodes[unique_id]
    return Change(unique_id, node["resource_type"], node["name"], reason)


def _ancestors(unique_id: str, nodes: Mapping[str, Any]) -> set[str]:
    found: set[str] = set()
    waiting = [unique_id]
    while waiting:
        node = nodes.get(waiting.pop(), {})
        above: list[str] = node.get("depends_on", {}).get("nodes", [])
        waiting += [each for each in above if each not in found]
        found.update(above)
    return found
