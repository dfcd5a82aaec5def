"""``analytics-worker lineage``: show what something is made from, and what breaks with it.

Reads the catalog of the warehouse, dbt's manifest, the stored rules and reports, and plans their SQL as the
reader; reads no rows and writes nothing.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from analytics_worker.cli.output import echo, echo_json
from analytics_worker.database.connections import warehouse
from analytics_worker.errors import PermanentError
from analytics_worker.lineage.graph import Kind, Lineage, Node, Step
from analytics_worker.lineage.manifest import add_manifest
from analytics_worker.lineage.promises import add_promises
from analytics_worker.lineage.relations import add_relations
from analytics_worker.lineage.search import find
from analytics_worker.settings import settings
from analytics_worker.text import counted
from flows.alerts.tools.lineage import add_rules
from flows.dbt._run_results import read_document
from flows.dbt.state.diff import parse
from flows.dbt.state.folder import MANIFEST, NoStateError, production_state
from flows.reports.scheduling.lineage import add_reports

KINDS = {
    "relation": "relation",
    "dbt": "other dbt node",
    "rule": "rule",
    "report": "report",
    "promise": "promise",
    "recipient": "recipient",
    "deployment": "deployment",
}


def lineage(
    name: Annotated[str, typer.Argument(help="A relation, dbt node, rule, report or recipient.")],
    kind: Annotated[
        Kind | None, typer.Option(help="Which of several things with that name.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show what something is made from, and which views, rules, reports, promises and recipients it reaches."""
    graph = build_lineage()
    node = find(graph, name, kind)
    upstream, downstream = graph.upstream(node), graph.downstream(node)
    if as_json:
        echo_json(_document(graph, node, upstream, downstream))
        return
    echo(f"{node.name} ({graph.descriptions.get(node, node.kind)})")
    _print(graph, "is made from", upstream)
    _print(graph, "reaches", downstream)
    for problem in graph.problems:
        echo(f"not included: {problem}", err=True)


def build_lineage() -> Lineage:
    """Return the graph of all relations, dbt nodes, rules, reports, promises and recipients."""
    graph = Lineage()
    with warehouse() as connection:
        add_relations(graph, connection)
        add_promises(graph, connection)
    try:
        add_manifest(graph, _manifest())
    except PermanentError as error:
        graph.problems.append(f"dbt: {error}")
    add_rules(graph)
    add_reports(graph)
    return graph


def _manifest() -> Mapping[str, Any]:
    """Return dbt's manifest of production; if none is kept here, that of the project's files."""
    project = settings().dbt_project_path
    try:
        return read_document(production_state(project, MANIFEST) / MANIFEST) or {}
    except NoStateError:
        return parse(project, settings().profiles_dir)


def _print(graph: Lineage, verb: str, steps: Sequence[Step]) -> None:
    counts = Counter(step.node.kind for step in steps)
    parts = [counted(counts[kind], text) for kind, text in KINDS.items() if counts[kind]]
    echo(f"\n{verb} {', '.join(parts) or 'nothing'}")
    for step in steps:
        described = graph.descriptions.get(step.node, step.node.kind)
        through = f", through {step.through.name}" if step.distance > 1 else ""
        echo(f"  {step.distance}  {step.node.name}  ({described}{through})")


def _document(
    graph: Lineage, node: Node, upstream: Sequence[Step], downstream: Sequence[Step]
) -> dict[str, Any]:
    return {
        **_entry(graph, node),
        "upstream": [_step(graph, each) for each in upstream],
        "downstream": [_step(graph, each) for each in downstream],
        "problems": graph.problems,
    }


def _entry(graph: Lineage, node: Node) -> dict[str, Any]:
    return {
        "kind": node.kind,
        "name": node.name,
        "description": graph.descriptions.get(node),
    }


def _step(graph: Lineage, step: Step) -> dict[str, Any]:
    through = {"kind": step.through.kind, "name": step.through.name}
    return {**_entry(graph, step.node), "distance": step.distance, "through": through}
