"""Exclude nodes that an earlier attempt has built, if `dbt retry` has no results to read.

Reads dbt's manifest; writes nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flows.dbt._arguments import Arguments


def excluding(
    done: Sequence[str], arguments: Arguments, manifest: Mapping[str, Any]
) -> Sequence[str]:
    """Return the arguments with the finished nodes excluded.

    dbt ignores exclusions with a ``--selector``. Everything runs again in that case, which is safe.
    """
    if "--selector" in arguments.options:
        return arguments.argv
    excluded = [*arguments.lists.get("--exclude", []), *exclusions(set(done), manifest)]
    lists = {**arguments.lists, "--exclude": excluded} if excluded else arguments.lists
    return Arguments(arguments.options, lists).argv


def exclusions(done: set[str], manifest: Mapping[str, Any]) -> Iterator[str]:
    """Return a selector for each finished node, unless it would also match an unfinished one.

    A selector by qualified name also matches everything below that name: the model ``kpis`` matches
    the folder ``kpis``.
    """
    names = {
        unique_id: ".".join(node["fqn"])
        for group in ("nodes", "unit_tests")
        for unique_id, node in manifest.get(group, {}).items()
    }
    unfinished_names = [name for unique_id, name in names.items() if unique_id not in done]
    for unique_id in sorted(done & names.keys()):
        name = names[unique_id]
        if not any(f"{other}.".startswith(f"{name}.") for other in unfinished_names):
            yield f"fqn:{name}"
