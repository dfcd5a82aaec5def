"""Collect what the artifacts of dbt say about the nodes of a run besides their result.

Reads the manifest and the results of all attempts of the run; writes nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypedDict, cast

from analytics_worker.database.dbt_environment import dbt_environment
from analytics_worker.text import one_line, printable
from flows.dbt._dbt_artifacts import NodeResult, is_failed
from flows.dbt._environment import redact, secrets
from flows.dbt._run_results import merged, read_document, results_of
from flows.dbt._workspace import Workspace

MAX_SQL_BYTES = 10_000
MAX_NAME_CHARACTERS = 200
MAX_TAGS = 50
Fields = Mapping[str, Any]


class NodeDetails(TypedDict):
    """The columns of ``ops.dbt_node_results`` that describe a node."""

    started_at: str | None
    failures: int | None
    owner: str | None
    tags: list[str]
    group_name: str | None
    relation: str | None
    compiled_sql: str | None
    failures_relation: str | None


def node_details(workspace: Workspace, nodes: Iterable[NodeResult]) -> dict[str, NodeDetails]:
    """Return the details of each node by unique id; unknown ones are empty."""
    manifest = read_document(workspace.target / "manifest.json") or {}
    results: dict[str, Any] = {}
    for name in ("run_results.json", "sources.json"):
        results |= results_of(merged(workspace.folder, name) or {})
    secret_values = secrets(dbt_environment(), workspace.profiles)
    details: dict[str, NodeDetails] = {}
    for node in nodes:
        unique_id = node["unique_id"]
        found = _details(node, results.get(unique_id) or {}, manifest)
        if found["compiled_sql"]:
            found["compiled_sql"] = redact(found["compiled_sql"], secret_values)
        details[unique_id] = found
    return details


def _details(node: NodeResult, result: Fields, manifest: Fields) -> NodeDetails:
    described = _described(manifest, node["unique_id"])
    config = _mapping(described.get("config"))
    relation = _text(described.get("relation_name") or result.get("relation_name"))
    is_test = node["resource_type"] == "test"
    stores = is_test and bool(described.get("relation_name")) and node["status"] in {"fail", "warn"}
    return NodeDetails(
        started_at=_started_at(result),
        failures=_whole_number(result.get("failures")),
        owner=owner_of(manifest, described),
        tags=[tag for tag in map(_text, described.get("tags") or []) if tag][:MAX_TAGS],
        group_name=_text(config.get("group")),
        relation=None if is_test else relation,
        compiled_sql=_sql(result.get("compiled_code")) if _needs_sql(node) else None,
        failures_relation=relation if stores else None,
    )


def owner_of(manifest: Fields, described: Fields) -> str | None:
    """Return ``meta.owner`` of the node, or the owner of its group; of a test, that of its model."""
    config = _mapping(described.get("config"))
    meta = {**_mapping(described.get("meta")), **_mapping(config.get("meta"))}
    group = next(
        (
            each
            for each in _mapping(manifest.get("groups")).values()
            if each.get("name") == config.get("group")
        ),
        {},
    )
    owner = _person(meta.get("owner")) or _person(group.get("owner"))
    tested = described.get("attached_node")
    return owner or (owner_of(manifest, _described(manifest, tested)) if tested else None)


def _described(manifest: Fields, unique_id: str) -> Fields:
    groups = (_mapping(manifest.get(name)) for name in ("nodes", "sources", "unit_tests"))
    return next((group[unique_id] for group in groups if unique_id in group), {})


def _person(owner: object) -> str | None:
    """Return ``Ann <ann@example.com>`` for dbt's owner of a group, a text as it is."""
    if not isinstance(owner, Mapping):
        return _text(
            ", ".join(map(str, cast("list[Any]", owner))) if isinstance(owner, list) else owner
        )
    fields = cast("Fields", owner)
    name, email = fields.get("name"), fields.get("email")
    return _text(f"{name} <{email}>" if name and email else name or email)


def _started_at(result: Fields) -> str | None:
    times = {step.get("name"): step.get("started_at") for step in result.get("timing") or []}
    return times.get("execute") or times.get("compile")


def _needs_sql(node: NodeResult) -> bool:
    return is_failed(node) or node["status"] == "warn"


def _sql(code: object) -> str | None:
    if not code:
        return None
    return printable(str(code)).encode(errors="replace")[:MAX_SQL_BYTES].decode(errors="ignore")


def _text(value: object) -> str | None:
    return one_line(str(value), MAX_NAME_CHARACTERS) if value else None


def _whole_number(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _mapping(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
