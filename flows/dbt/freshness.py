"""Check how old the data in dbt's sources is.

Reads the dbt project and the sources in the warehouse; writes one row per run in ``ops.dbt_runs``
and one per source table in ``ops.dbt_node_results``. Only reads the sources: repeating it is safe.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from prefect import Task

from analytics_worker.errors import PermanentError
from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.retries import DBT_FRESHNESS
from flows.dbt._arguments import Arguments
from flows.dbt._attempts import Work, attempt, carry_out, flow_limit_seconds
from flows.dbt._result import report
from flows.dbt._results import DbtResult
from flows.dbt._workspace import workspace


class UnknownSourceError(PermanentError):
    """A source that the dbt project does not check; lists those that it does."""


check_freshness = Task(attempt, name="dbt source freshness", **DBT_FRESHNESS)


@flow(timeout_seconds=300)
def dbt_freshness_check(source_names: list[str] | None = None) -> DbtResult:
    """Check data freshness; a source that is too old is a failed node and makes the run red.

    Args:
        source_names: Sources (``crm``) or tables of them (``crm.accounts``) to check; all if empty.
    """
    names = source_names or []
    selected = {"--select": [f"source:{name}" for name in names]} if names else {}
    with workspace() as folders:
        work = Work(
            ("source", "freshness"), Arguments(lists=selected), folders, flow_limit_seconds()
        )
        carry_out(work, check_freshness)
        check_names(names, folders.manifest())
        return report(work, artifact="dbt-freshness-check", unit="sources")


def check_names(names: Sequence[str], manifest: Mapping[str, Any]) -> None:
    """Compare with the sources whose freshness the project as it is now defines.

    Raises:
        UnknownSourceError: there is no such source, or it has no freshness rule.
    """
    if not manifest:
        return  # dbt did not get as far as reading the project, and says why
    known = sorted(checked_sources(manifest))
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UnknownSourceError(
            f"No source with a freshness rule is called {', '.join(map(repr, unknown))}."
            f" There are: {', '.join(known) or 'none'}"
        )


def checked_sources(manifest: Mapping[str, Any]) -> set[str]:
    """Sources and their tables that have a freshness rule."""
    checked: set[str] = set()
    for source in manifest.get("sources", {}).values():
        rule = source.get("freshness") or {}
        if any((rule.get(level) or {}).get("count") for level in ("warn_after", "error_after")):
            checked |= {source["source_name"], f"{source['source_name']}.{source['name']}"}
    return checked
