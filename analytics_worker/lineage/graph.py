"""Hold what reads what, and find everything that one thing reaches, or is made from.

Reads nothing, writes nothing. A cycle, as between recursive views, ends where it began.
"""

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Kind = Literal["relation", "dbt", "rule", "report", "promise", "recipient", "deployment"]


class Node(NamedTuple):
    """One thing that reads others, or is read; ``name`` is unique among those of its kind."""

    kind: Kind
    name: str


class Step(NamedTuple):
    """Something that was reached, in how many steps, and the thing before it."""

    node: Node
    distance: int
    through: Node


Edges = Mapping[Node, Collection[Node]]


@dataclass
class Lineage:
    """The graph: for each node the nodes that read it, and how nodes are called in texts."""

    readers: dict[Node, set[Node]] = field(default_factory=dict[Node, set[Node]])
    descriptions: dict[Node, str] = field(default_factory=dict[Node, str])
    """What each node is, for example ``materialized view``."""
    problems: list[str] = field(default_factory=list[str])
    """What is missing from the graph, and why."""

    def add(self, read: Node, reader: Node) -> None:
        """Add that a node is read by another one."""
        if read != reader:
            self.readers.setdefault(read, set()).add(reader)

    def add_reads(self, reader: Node, relations: Iterable[Node]) -> None:
        """Add the relations that a statement reads, those behind views included, only by the last ones."""
        found = set(relations)
        behind = {
            each
            for each in found
            if any(step.node in found for step in self.downstream(each) if step.node != each)
        }
        for relation in found - behind or found:
            self.add(relation, reader)

    def downstream(self, node: Node) -> list[Step]:
        """Return everything that the node reaches, nearest first."""
        return _reached(node, self.readers)

    def upstream(self, node: Node) -> list[Step]:
        """Return everything that the node is made from, nearest first."""
        return _reached(node, self.reads)

    @property
    def reads(self) -> Edges:
        """What each node reads."""
        found: dict[Node, set[Node]] = {}
        for read, readers in self.readers.items():
            for reader in readers:
                found.setdefault(reader, set()).add(read)
        return found

    @property
    def nodes(self) -> set[Node]:
        """All nodes."""
        return set(self.descriptions).union(self.readers, *self.readers.values())


def _reached(start: Node, edges: Edges) -> list[Step]:
    steps: dict[Node, Step] = {}
    waiting = deque([(start, 0)])
    while waiting:
        node, distance = waiting.popleft()
        for each in sorted(edges.get(node, ())):
            if each != start and each not in steps:
                steps[each] = Step(each, distance + 1, node)
                waiting.append((each, distance + 1))
    return list(steps.values())
