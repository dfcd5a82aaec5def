"""Name the runs of dbt: what they run, and how many nodes failed. Reads nothing, writes nothing."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from analytics_worker.prefect_support.run_names import NameOf, listed
from flows.dbt._arguments import LISTS
from flows.dbt._dbt_artifacts import DbtResult


def name_of(title: str, *parameters: str) -> NameOf:
    """Return a function that names runs: ``dbt run: staging, kpis``.

    Args:
        title: The command.
        parameters: Parameters that have names of nodes, besides the options in ``dbt_args``.
    """

    def name(values: Mapping[str, Any], _due: datetime) -> str:
        given = [each for key in parameters for each in values.get(key) or []]
        selected = [*_selected(values.get("dbt_args") or []), *given]
        return f"{title}: {listed(selected)}" if selected else title

    return name


def outcome(result: DbtResult) -> str | None:
    """Return how many nodes failed; None if none did."""
    summary = result["summary"]
    return f"{summary['failed']} of {summary['executed']} failed" if summary["failed"] else None


def _selected(arguments: Iterable[object]) -> Iterator[str]:
    """Return the values of the options that select nodes."""
    option = ""
    for argument in map(str, arguments):
        if argument.startswith("-"):
            option, _, value = argument.partition("=")
        else:
            value = argument
        if value and LISTS.get(option, option) in {"--select", "--selector"}:
            yield value
