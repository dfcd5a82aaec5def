"""Find through which instant relations are complete from what feeds them, as it was when they were built.

Reads nothing, writes nothing. A plain view shows what its inputs have now. What is stored shows what they
had when its build started.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

Key = tuple[str, str]
Basis = Literal["declared column", "lineage", "last change", "unknown"]
KNOWN = frozenset({"declared column", "lineage"})


class Build(NamedTuple):
    """When a build of a relation started and ended."""

    started_at: datetime
    finished_at: datetime


class Value(NamedTuple):
    """Through which instant a relation is complete, and how that is known."""

    through: datetime | None
    basis: Basis
    is_partial: bool = False
    limited_by: Key | None = None
    since: datetime | None = None
    """The end of the build from which on it holds."""


class Recorded(NamedTuple):
    """An earlier value of a relation."""

    since: datetime
    through: datetime | None
    is_partial: bool = False


@dataclass(frozen=True)
class Relation:
    """A relation, what feeds it, and when it was built."""

    inputs: Sequence[Key] = ()
    is_view: bool = False
    is_built: bool = False
    builds: Sequence[Build] = ()
    """The last builds, newest first."""
    last_change: datetime | None = None


UNKNOWN = Value(None, "unknown")


@dataclass
class Completeness:
    """The relations, and the recorded values of them in the order of time."""

    relations: Mapping[Key, Relation]
    declared: frozenset[Key]
    recorded: Mapping[Key, Sequence[Recorded]]
    _found: dict[tuple[Key, datetime], Value] = field(default_factory=dict)

    def value(self, key: Key, at: datetime) -> Value:
        """Return through which instant a relation was complete at an instant."""
        if (key, at) not in self._found:
            self._found[key, at] = UNKNOWN  # a relation that reads itself, through others
            self._found[key, at] = self._value(key, at)
        return self._found[key, at]

    def _value(self, key: Key, at: datetime) -> Value:
        relation = self.relations.get(key)
        if relation is None:
            return UNKNOWN
        if key in self.declared:
            value = self._recorded(key, at, "declared column")
            return value if value.through else self._last_change(relation)
        if relation.is_view:
            return self._minimum(relation.inputs, at)
        return self._built(key, relation, at) if relation.is_built else self._last_change(relation)

    def _built(self, key: Key, relation: Relation, at: datetime) -> Value:
        build = next((each for each in relation.builds if each.finished_at <= at), None)
        if build:
            value = self._minimum(relation.inputs, build.started_at)
            known = value.basis in KNOWN
            return value._replace(since=build.finished_at) if known else self._last_change(relation)
        value = self._recorded(key, at, "lineage")
        return value if value.through else self._last_change(relation)

    def _minimum(self, inputs: Sequence[Key], at: datetime) -> Value:
        values = [self.value(each, at) for each in inputs]
        known = [each for each in values if each.basis in KNOWN and each.through]
        if not known:
            changes = [each.through for each in values if each.through]
            return Value(max(changes), "last change") if changes else UNKNOWN
        first = min(known, key=lambda each: each.through or at)
        partial = len(known) < len(values) or any(each.is_partial for each in known)
        return Value(first.through, "lineage", partial, first.limited_by)

    def _recorded(self, key: Key, at: datetime, basis: Basis) -> Value:
        earlier = [each for each in self.recorded.get(key, ()) if each.since <= at]
        if not earlier or earlier[-1].through is None:
            return UNKNOWN
        last = earlier[-1]
        return Value(last.through, basis, last.is_partial, key, last.since)

    def _last_change(self, relation: Relation) -> Value:
        if relation.last_change is None:
            return UNKNOWN
        return Value(relation.last_change, "last change")
