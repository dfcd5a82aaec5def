"""Check the age of the data in dbt's sources.

Reads the dbt project and the sources in the warehouse; writes one row per run in ``ops.dbt_runs``
and one per source table in ``ops.dbt_node_results``. Only reads the sources: repeating it is safe.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from prefect import Task

from analytics_worker.errors import PermanentError
from analytics_worker.prefect_support.retries import DBT_FRESHNESS
from flows.dbt._arguments import typed_arguments
from flows.dbt._attempts import DbtRun, attempt, flow_limit_seconds, run_with_retries
from flows.dbt._before_models import run_before
from flows.dbt._dbt_artifacts import DbtResult
from flows.dbt._flow import dbt_flow
from flows.dbt._flow_result import finish_run
from flows.dbt._workspace import workspace
from flows.dbt.state.production import keep_state


class UnknownSourceError(PermanentError):
    """A source without a freshness rule in the dbt project; the message lists those with one."""


check_freshness = Task(attempt, name="dbt source freshness", **DBT_FRESHNESS)


@dbt_flow(timeout_seconds=300)
def dbt_freshness_check(
    source_names: list[str] | None = None,
    target: str | None = None,
    vars: dict[str, Any] | None = None,  # noqa: A002  # named like the option of dbt
    select: list[str] | None = None,
) -> DbtResult:
    """Check data freshness; a source that is too old is a failed node, so the run fails.

    Args:
        source_names: Sources (``crm``) or tables of them (``crm.accounts``) to check; all if empty.
        target: Target of profiles.yml; its default if empty.
        vars: Variables that dbt_project.yml declares, with their values.
        select: More sources, in dbt's syntax, such as ``["tag:nightly", "source:crm+"]``.
    """
    names = source_names or []
    selected = [*(f"source:{name}" for name in names), *(select or [])]
    with workspace() as folders:
        arguments = typed_arguments(
            "source freshness", folders.project, target=target, variables=vars, select=selected
        )
        command = ("source", "freshness")
        dbt_run = DbtRun(command, arguments, folders, flow_limit_seconds(), before=run_before)
        run_with_retries(dbt_run, check_freshness)
        check_source_names(names, folders.manifest())
        result = finish_run(dbt_run, artifact="dbt-freshness-check", unit="sources")
        keep_state(dbt_run, result)
        return result


def check_source_names(names: Sequence[str], manifest: Mapping[str, Any]) -> None:
    """Check that the project defines a freshness rule for each name.

    Raises:
        UnknownSourceError: the source is unknown, or has no freshness rule.
    """
    if not manifest:
        return  # dbt failed before it parsed the project, and reports why
    known = sorted(checked_sources(manifest))
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UnknownSourceError(
            f"No source with a freshness rule found: {', '.join(map(repr, unknown))};"
            f" expected one of: {', '.join(known) or 'none'}"
        )


def checked_sources(manifest: Mapping[str, Any]) -> set[str]:
    """Return the sources, and their tables, with a freshness rule."""
    checked: set[str] = set()
    for source in manifest.get("sources", {}).values():
        rule = source.get("freshness") or {}
        if any((rule.get(level) or {}).get("count") for level in ("warn_after", "error_after")):
            checked |= {source["source_name"], f"{source['source_name']}.{source['name']}"}
    return checked
