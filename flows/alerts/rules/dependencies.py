"""Check which rules ``depends_on`` names: existing ones, and none that depends on the rule itself.

Reads nothing, writes nothing. A name may be of a rule of either file, and the former name of a renamed one.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from analytics_worker.definitions.yaml_definitions import Entry, did_you_mean
from flows.alerts.rules.model import Rule


def dependency_mistakes(
    sources: Sequence[tuple[Rule, Entry]], names: Collection[object]
) -> Iterator[str]:
    """Yield one line for each name that no rule has, and for each rule that depends on itself.

    Args:
        sources: The valid rules, each with its entry.
        names: The names of all rules, and their former ones, also of rules that are not valid.
    """
    current = {rule.was: rule.name for rule, _ in sources if rule.was}
    current |= {rule.name: rule.name for rule, _ in sources}
    edges: dict[str, list[str]] = {}
    for rule, entry in sources:
        known = [name for name in rule.depends_on if name in current]
        edges.setdefault(rule.name, []).extend(current[name] for name in known)
        for name in rule.depends_on:
            if name not in names:
                suggestion = did_you_mean(name, current)
                yield entry.at("depends_on", f"there is no rule {name!r}{suggestion}")
    for rule, entry in sources:
        if cycle := _path(edges, rule.name, rule.name):
            path = " → ".join([rule.name, *cycle])
            yield entry.at("depends_on", f"the rule depends on itself ({path}); remove one of them")


def _path(edges: Mapping[str, Sequence[str]], start: str, end: str) -> list[str] | None:
    """Return the names on the shortest way from one rule to another, without the first."""
    paths: dict[str, list[str]] = {}
    queue: list[tuple[str, list[str]]] = [(start, [])]
    for name, path in queue:
        for each in edges.get(name, ()):
            if each == end:
                return [*path, each]
            if each not in paths:
                paths[each] = [*path, each]
                queue.append((each, paths[each]))
    return None
