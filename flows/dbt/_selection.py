"""Leaving out nodes that an earlier attempt has built, for want of results that `dbt retry` reads.

Reads dbt's manifest; writes nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flows.dbt._arguments import Arguments


def all_but(
    done: Sequence[str], arguments: Arguments, manifest: Mapping[str, Any]
) -> Sequence[str]:
    """The arguments, without the nodes that are done.

    dbt ignores exclusions beside a ``--selector``; then everything runs again, which is safe.
    """
    if "--selector" in arguments.options:
        return arguments.argv
    excluded = [*arguments.lists.get("--exclude", []), *exclusions(set(done), manifest)]
    lists = {**arguments.lists, "--exclude": excluded} if excluded else arguments.lists
    return Arguments(arguments.options, lists).argv


def exclusions(done: set[str], manifest: Mapping[str, Any]) -> Iterator[str]:
    """A selector for each done node, unless it would match a node that is not done.

    A selector by qualified name matches everything below that name as well: the model ``kpis``
    would take the folder ``kpis`` with it.
    """
    names = {
        unique_id: ".".join(node["fqn"])
        for group in ("nodes", "unit_tests")
        for unique_id, node in manifest.get(group, {}).items()
    }
    open_names = [name for unique_id, name in names.items() if unique_id not in done]
    for unique_id in sorted(done & names.keys()):
        name = names[unique_id]
        if not any(f"{other}.".startswith(f"{name}.") for other in open_names):
            yield f"fqn:{name}"
