"""Keep ``ops.catalog`` in step with what PostgreSQL really holds.

Reads pg_catalog of the analytics schemas, ``ops.refresh_log``, the declared event-time columns and the contracts of
trust.yml; upserts one row per relation and column, and records how their shape changed, through which instant they
are complete, and whether they keep their contracts. Publishes the artifact ``trust`` if it changed. Safe to repeat: rows
are keyed by name, and written only if they differ.
"""

from typing import TypedDict

from prefect.artifacts import create_markdown_artifact
from sqlalchemy import RowMapping

from analytics_worker.completeness.measure import measure
from analytics_worker.completeness.update import update_completeness
from analytics_worker.contracts.update import check_contracts
from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.database.schema_coverage import coverage_notes
from analytics_worker.errors import PermanentError
from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.results import FlowResult, flow_result
from analytics_worker.prefect_support.retries import CATALOG
from analytics_worker.prefect_support.table_artifacts import update_table_artifact
from analytics_worker.prefect_support.task import task
from analytics_worker.settings import settings
from analytics_worker.trust.overview import overview_row, overview_total, read_overview

MAX_SHOWN = 500
"""Units in the artifact, those with failures first."""
MAX_NAMED = 3
"""Relations that could not be measured and are named in the message; the result has all."""


class CatalogStats(TypedDict):
    """Totals of the schemas, and changes since the last run."""

    relations: int
    columns: int
    active: int
    stale: int
    missing: int
    """In the catalog but no longer in the database."""
    kinds: dict[str, int]
    bytes: int
    appeared: int
    vanished: int
    columns_added: int
    columns_removed: int
    columns_renamed: int
    columns_retyped: int
    nullability_changed: int
    rows_written: int
    not_covered: list[str]
    """What ANALYTICS_SCHEMAS misses, a line each."""


class CatalogRefresh(FlowResult):
    """Result of `refresh_catalog`."""

    stats: CatalogStats
    not_measured: list[str]
    """Event-time columns and contracts that could not be measured, a line each."""


@task(**CATALOG, name="upsert catalog")
def upsert_catalog(schemas: list[str]) -> CatalogStats:
    """Update the catalog in one transaction; return totals and changes."""
    stale_after = settings().catalog_stale_after_hours * 3600
    with warehouse() as connection:
        run_sql(connection, "analytics/lock_catalog")
        relations = run_sql(
            connection,
            "analytics/upsert_relations",
            schemas=schemas,
            stale_after_seconds=stale_after,
        )[0]
        columns = run_sql(connection, "analytics/upsert_columns")[0]
        totals = run_sql(connection, "analytics/catalog_totals", schemas=schemas)[0]
        notes = coverage_notes(connection)
    return _stats(relations, columns, totals, notes)


def _stats(
    relations: RowMapping, columns: RowMapping, totals: RowMapping, notes: list[str]
) -> CatalogStats:
    return CatalogStats(
        relations=relations["relations"],
        columns=columns["columns"],
        active=totals["active"],
        stale=totals["stale"],
        missing=totals["missing"],
        kinds=totals["kinds"],
        bytes=totals["bytes"],
        appeared=relations["appeared"],
        vanished=relations["vanished"],
        columns_added=columns["added"],
        columns_removed=columns["removed"],
        columns_renamed=columns["renamed"],
        columns_retyped=columns["retyped"],
        nullability_changed=columns["nullability"],
        rows_written=relations["written"] + columns["written"],
        not_covered=notes,
    )


@task(**CATALOG, name="measure completeness")
def measure_completeness() -> list[str]:
    """Find through which instant each relation is complete; return what could not be measured."""
    try:
        problems = measure()
    except PermanentError as error:
        problems = str(error).splitlines()
    update_completeness()
    return problems


@task(**CATALOG, name="publish trust")
def publish_trust() -> None:
    """Publish how complete and tested views, reports and rules are, and their incidents, if that changed."""
    with warehouse() as connection:
        states = read_overview(connection)
    rows = [overview_row(unit, state) for unit, state in states.items()]
    description = f"{overview_total(states)}. `analytics-worker trust NAME` says why."
    if rows:
        update_table_artifact(rows[:MAX_SHOWN], key="trust", description=description)


@task(**CATALOG, name="check contracts")
def check_declared_contracts() -> list[str]:
    """Check the contracts of trust.yml; return what could not be measured."""
    try:
        return check_contracts()
    except PermanentError as error:
        return str(error).splitlines()


def _outcome(result: CatalogRefresh) -> str | None:
    """Return what changed, for the name of the run; None if nothing did."""
    changes = [f"{count} {label}" for label, count in _changes(result["stats"]).items() if count]
    return ", ".join(changes) or None


@flow(timeout_seconds=600, outcome=_outcome)
def refresh_catalog() -> CatalogRefresh:
    """Refresh the analytics catalog: relations, columns, sizes, row estimates, age of the data."""
    stats = upsert_catalog(settings().analytics_schemas)
    not_measured = list(dict.fromkeys(measure_completeness() + check_declared_contracts()))
    create_markdown_artifact(
        _markdown_table(stats), key="catalog", description="Contents of the analytics schemas"
    )
    publish_trust()
    status = "success" if stats["relations"] or stats["rows_written"] else "skipped"
    if not_measured and status == "success":
        status = "partial"
    message = ". ".join([_summary_line(stats), *not_measured[:MAX_NAMED]])
    return {**flow_result(status, message), "stats": stats, "not_measured": not_measured}


def _summary_line(stats: CatalogStats) -> str:
    changes = [f"{label}: {count}" for label, count in _changes(stats).items() if count]
    shape = f" ({', '.join(changes)})" if changes else ", no structural changes"
    summary = f"{stats['relations']} relations with {stats['columns']} columns{shape}"
    return ". ".join([summary, *stats["not_covered"]])


def _changes(stats: CatalogStats) -> dict[str, int]:
    return {
        "appeared": stats["appeared"],
        "vanished": stats["vanished"],
        "columns added": stats["columns_added"],
        "columns removed": stats["columns_removed"],
        "columns renamed": stats["columns_renamed"],
        "columns with another type": stats["columns_retyped"],
        "columns with another nullability": stats["nullability_changed"],
    }


def _markdown_table(stats: CatalogStats) -> str:
    """Return the totals as a Markdown table."""
    rows = {
        **stats["kinds"],
        "columns": stats["columns"],
        "active": stats["active"],
        "stale": stats["stale"],
        "missing": stats["missing"],
        "MiB": round(stats["bytes"] / 2**20),
        **_changes(stats),
    }
    return "| | |\n|---|---:|\n" + "\n".join(f"| {name} | {n:,} |" for name, n in rows.items())
