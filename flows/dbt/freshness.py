"""Check the age of the data in dbt's sources.

Reads the dbt project and the sources in the warehouse; writes one row per run in ``ops.dbt_runs``
and one per source table in ``ops.dbt_node_results``. Only reads the sources: repeating it is safe.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from prefect import Task

from analytics_worker.errors import PermanentError
from analytics_worker.prefect_support.retries import DBT_FRESHNESS
from flows.dbt._arguments import typed_arguments
from flows.dbt._attempts import DbtRun, attempt, flow_limit_seconds, run_with_retries
from flows.dbt._before_models import run_before
from flows.dbt._dbt_artifacts import DbtResult, NodeResult
from flows.dbt._flow import dbt_flow
from flows.dbt._flow_result import finish_run
from flows.dbt._run_names import name_of, outcome
from flows.dbt._workspace import workspace
from flows.dbt.state.production import keep_state

_PLAIN = re.compile(r"[\w-]+(\.[\w-]+)?")


class UnknownSourceError(PermanentError):
    """A source without a freshness rule in the dbt project; the message lists those with one."""


check_freshness = Task(attempt, name="dbt source freshness", **DBT_FRESHNESS)


@dbt_flow(
    timeout_seconds=300,
    run_name=name_of("dbt source freshness", "source_names", "select"),
    outcome=outcome,
)
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
    selected = [*source_criteria(names), *(select or [])]
    with workspace() as folders:
        arguments = typed_arguments(
            "source freshness", folders.project, target=target, variables=vars, select=selected
        )
        command = ("source", "freshness")
        dbt_run = DbtRun(command, arguments, folders, flow_limit_seconds(), before=run_before)
        run_with_retries(dbt_run, check_freshness)
        manifest = folders.manifest()
        check_source_names(names, manifest)
        if names and not select:
            dbt_run.nodes = _named(names, dbt_run.nodes, manifest)
        result = finish_run(dbt_run, artifact="dbt-freshness-check", unit="sources")
        keep_state(dbt_run, result)
        return result


def source_criteria(names: Sequence[str]) -> list[str]:
    """Return criteria that select these sources and tables, and perhaps ones with similar names.

    dbt splits a criterion at spaces, commas and dots, and knows no quotes. A wildcard stands for each character
    that is not part of a plain name. The dot between source and table may be any of the dots.
    """
    criteria: list[str] = []
    for name in names:
        dots = [position for position, character in enumerate(name) if character == "."]
        if _PLAIN.fullmatch(name):
            criteria.append(f"source:{name}")
        else:
            pairs = ((name[:dot], name[dot + 1 :]) for dot in dots)
            criteria += [f"source:{_pattern(source)}.{_pattern(table)}" for source, table in pairs]
            criteria.append(f"source:{_pattern(name)}")
    return criteria


def _pattern(text: str) -> str:
    return re.sub(r"[^\w-]", "?", text)


def _named(
    names: Sequence[str], nodes: Mapping[str, NodeResult], manifest: Mapping[str, Any]
) -> dict[str, NodeResult]:
    """Return the nodes that are meant by these names, and those that are no sources."""
    sources = manifest.get("sources", {})
    return {
        unique_id: node
        for unique_id, node in nodes.items()
        if not (source := sources.get(unique_id))
        or {source["source_name"], f"{source['source_name']}.{source['name']}"} & set(names)
    }


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
