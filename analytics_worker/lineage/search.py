"""Find the thing that a name means.

Reads nothing, writes nothing.
"""

import difflib

from analytics_worker.errors import PermanentError
from analytics_worker.lineage.graph import Kind, Lineage, Node

MAX_SHOWN = 10


class UnknownNameError(PermanentError):
    """Nothing has this name, or several things have it; the message names what is there."""


def find(lineage: Lineage, name: str, kind: Kind | None = None) -> Node:
    """Return the node of a name: a relation with or without its schema, a dbt node, a rule, a report.

    Raises:
        UnknownNameError: no node has the name, or several have it.
    """
    nodes = sorted(node for node in lineage.nodes if kind in {None, node.kind})
    found = [node for node in nodes if node.name == name]
    found = found or [node for node in nodes if name in _short_names(lineage, node)]
    if kind is None:  # a promise has the name of what it is of
        found = [node for node in found if node.kind != "promise"] or found
    match found:
        case [node]:
            return node
        case []:
            raise UnknownNameError(f"Nothing is called {name!r}{_similar(lineage, nodes, name)}")
        case _:
            listed = ", ".join(f"{node.kind} {node.name}" for node in found[:MAX_SHOWN])
            raise UnknownNameError(
                f"{len(found)} things are called {name!r}; name one, or add --kind: {listed}"
            )


def _short_names(lineage: Lineage, node: Node) -> set[str]:
    """Return what a node may be called beside its full name."""
    described = lineage.descriptions.get(node, "").split(", ")[-1]
    names = {described.split(" ", 2)[-1]} if described.startswith("dbt ") else set[str]()
    if node.kind in {"relation", "dbt"}:
        last = node.name.rpartition('."')[2] if node.name.endswith('"') else ""
        names.add(last[:-1].replace('""', '"') if last else node.name.rpartition(".")[2])
    return names


def _similar(lineage: Lineage, nodes: list[Node], name: str) -> str:
    names = {node.name for node in nodes}.union(*(_short_names(lineage, each) for each in nodes))
    near = difflib.get_close_matches(name, names, n=3)
    return f"; similar names: {', '.join(near)}" if near else ""
