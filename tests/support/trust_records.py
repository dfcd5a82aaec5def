"""Record what is known of relations as the worker does: completeness, results of dbt tests, open incidents."""

import json
from uuid import UUID, uuid4

from tests.support.sql import execute


def complete(schema: str, name: str, through: str, limited_by: str | None = None) -> None:
    """Record through which instant a relation is complete; without another source, by a column of its own."""
    execute(
        "insert into ops.catalog_relations (schema_name, relation_name, oid, kind, columns, status)"
        " values (:schema, :name, 0, 'table', 1, 'active') on conflict do nothing",
        schema=schema,
        name=name,
    )
    execute(
        "insert into ops.completeness (schema_name, relation_name, complete_through, basis, limited_by, measured_at)"
        " values (:schema, :name, cast(:through as timestamptz), :basis, :limited_by, now())"
        " on conflict (schema_name, relation_name) do update set complete_through = excluded.complete_through",
        schema=schema,
        name=name,
        through=through,
        basis="lineage" if limited_by else "declared column",
        limited_by=limited_by or f"{schema}.{name}",
    )


def data_test(
    name: str, *relations: tuple[str, str], status: str = "ok", warned: bool = False
) -> None:
    """Record the last result of a dbt test of relations."""
    unique_id = f"test.shop.{name}"
    execute(
        "insert into ops.dbt_node_health (unique_id, schema_name, relation_name, project, resource_type, name,"
        " status, since, last_result_at, message, warned_since)"
        " values (:id, 'tests', :name, 'shop', 'test', :name, :status, now(), '2026-11-26 03:00+00',"
        " 'Got 3 results, configured to fail if != 0', case when :warned then now() end)",
        id=unique_id,
        name=name,
        status=status,
        warned=warned,
    )
    reads("dbt", unique_id, *relations)


def reads(kind: str, name: str, *relations: tuple[str, str]) -> None:
    """Record which relations a rule, a report or a dbt test reads."""
    execute(
        "insert into ops.unit_reads (kind, name, relations) values (:kind, :name, cast(:relations as jsonb))",
        kind=kind,
        name=name,
        relations=json.dumps(relations),
    )


def incident(kind: str, name: str, severity: str = "critical") -> UUID:
    """Record an open incident of one unit."""
    id_ = uuid4()
    execute(
        "insert into ops.incidents (id, cause_kind, cause_name, severity, severity_since, opened_at)"
        " values (:id, :kind, :name, :severity, now(), '2026-11-26 03:01+00')",
        id=id_,
        kind=kind,
        name=name,
        severity=severity,
    )
    execute(
        "insert into ops.incident_units (incident_id, kind, name, is_failing) values (:id, :kind, :name, true)",
        id=id_,
        kind=kind,
        name=name,
    )
    return id_


def incomplete(schema: str, name: str, through: str, rows: int = 60) -> None:
    """Record that a relation is complete through an instant, and how many rows the hour after it lacks."""
    complete(schema, name, through)
    execute(
        "insert into ops.event_time_measurements (schema_name, relation_name, column_name, origin, complete_through,"
        " measured_at, missing) values (:schema, :name, 'at', 'dbt', cast(:through as timestamptz), 'infinity',"
        " jsonb_build_array(jsonb_build_object('hour', cast(:through as timestamptz), 'rows', cast(:rows as int))))"
        " on conflict (schema_name, relation_name) do update set"
        " complete_through = excluded.complete_through, missing = excluded.missing",
        schema=schema,
        name=name,
        through=through,
        rows=rows,
    )
