"""List what a version of the dbt project would rebuild, compared with a kept state, and why.

Runs ``dbt ls`` in a child process; reads the project and the state. Writes nothing but temporary files.
"""

import json
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from analytics_worker.database.dbt_environment import dbt_environment
from analytics_worker.dbt_executable import dbt_command
from analytics_worker.errors import PermanentError
from analytics_worker.text import first_of, one_line
from flows.dbt._environment import redact, secrets
from flows.dbt._run_results import read_document
from flows.dbt.state.folder import MANIFEST

LIMIT_SECONDS = 300
MAX_NAMES = 3
BUILT = frozenset({"model", "seed", "snapshot"})
EXECUTED = ("nodes", "unit_tests", "functions")
READ = ("sources", "exposures", "metrics", "semantic_models", "saved_queries")
"""The groups of a manifest: what a run executes, and what else a selection can find."""
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
    nodes, resources = _nodes(after), _resources(after)
    reasons = _reasons(selected, before, after)
    changes = [_change(each, reasons, resources) for each in selected if each in nodes]
    return sorted(changes, key=lambda change: (change.unique_id not in reasons, change.unique_id))


def parse(project: Path, profiles: Path) -> Manifest:
    """Return the manifest of the files of the project.

    Raises:
        DiffError: dbt can't parse the project.
    """
    with tempfile.TemporaryDirectory(prefix="dbt-parse-") as folder:
        _run(["parse"], project, profiles, Path(folder))
        return read_document(Path(folder) / MANIFEST) or {}


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
    options = [
        *("--select", "state:modified+", "--state", str(state)),
        *("--output", "json", "--output-keys", "unique_id"),
        *(["--target", target] if target else []),
    ]
    output = _run(["ls", *options], project, profiles, folder)
    lines = [line for line in output.splitlines() if line.startswith("{")]
    return [json.loads(line)["unique_id"] for line in lines]


def _run(command: Sequence[str], project: Path, profiles: Path, folder: Path) -> str:
    """Run a command of dbt that writes its artifacts to a folder; return its output."""
    program, environment = dbt_command(dbt_environment())
    completed = subprocess.run(
        [
            *(*program, "--quiet", "--no-use-colors", *command),
            *("--project-dir", str(project), "--profiles-dir", str(profiles)),
            *("--target-path", str(folder), "--log-path", str(folder)),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_SECONDS,
        env=environment,
    )
    if completed.returncode:
        output = completed.stdout.strip() or completed.stderr.strip()
        line = one_line(redact(output, secrets(environment, profiles)), 500)
        raise DiffError(f"dbt {command[0]}: {line}")
    return completed.stdout


def _nodes(manifest: Manifest) -> dict[str, Any]:
    """Return what a run executes."""
    return _groups(manifest, EXECUTED)


def _resources(manifest: Manifest) -> dict[str, Any]:
    """Return all that a selection can find, which may be above a node."""
    return _groups(manifest, (*EXECUTED, *READ))


def _groups(manifest: Manifest, names: Iterable[str]) -> dict[str, Any]:
    return {key: value for name in names for key, value in (manifest.get(name) or {}).items()}


def _reasons(selected: Sequence[str], before: Manifest, after: Manifest) -> dict[str, str]:
    """Return what changed in each selected resource itself; the others have a changed one above them."""
    resources = _resources(after)
    own = {each: why for each in selected if (why := _reason(each, before, after))}
    others = {each for each in selected if _ancestors(each, resources).isdisjoint(selected)}
    return dict.fromkeys(others, "modified") | own


def _reason(unique_id: str, before: Manifest, after: Manifest) -> str:
    """Return what changed in the resource itself, if it is one of the known aspects."""
    old, new = _resources(before).get(unique_id), _resources(after).get(unique_id, {})
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


def _change(unique_id: str, reasons: Mapping[str, str], resources: Mapping[str, Any]) -> Change:
    reason = reasons.get(unique_id)
    if reason is None:
        changed = _ancestors(unique_id, resources) & reasons.keys()
        above = sorted(_shown(each, resources.get(each, {})) for each in changed)
        reason = f"reads {first_of(above, MAX_NAMES)}" if above else "modified"
    node = resources[unique_id]
    return Change(unique_id, node["resource_type"], node["name"], reason)


def _shown(unique_id: str, resource: Mapping[str, Any]) -> str:
    """Return the name of a resource, and what it is unless a run builds it."""
    kind, name = resource.get("resource_type", ""), resource.get("name", unique_id)
    if kind == "source":
        return f"source {resource.get('source_name')}.{name}"
    return name if kind in BUILT else f"{kind.replace('_', ' ')} {name}".strip()


def _ancestors(unique_id: str, resources: Mapping[str, Any]) -> set[str]:
    found: set[str] = set()
    waiting = [unique_id]
    while waiting:
        resource = resources.get(waiting.pop(), {})
        above: list[str] = resource.get("depends_on", {}).get("nodes", [])
        waiting += [each for each in above if each not in found]
        found.update(above)
    return found
