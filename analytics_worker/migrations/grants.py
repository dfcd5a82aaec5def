"""Give the reader role SELECT on the analytics schemas, as far as this user may; say what it can't read.

What was granted in schemas that ANALYTICS_SCHEMAS names no longer is withdrawn. Writes privileges of schemas and relations, and default privileges of this user in the schemas. Safe to repeat:
what the role has already is not granted again. Of schema ops, only the
views in `SHARED_VIEWS` are granted.
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from psycopg2 import sql
from sqlalchemy import Connection, RowMapping, text

from analytics_worker.database.schema_coverage import covered_schemas
from analytics_worker.database.urls import quoted_name
from analytics_worker.text import counted

RELATIONS_PER_STATEMENT = 500
MAX_NAMES = 10
SHARED_VIEWS = ("promise_attainment",)
"""Views of schema ops that the SQL of reports may read."""
SAMPLE_SCHEMAS = ("raw", "staging", "analytics")
COMPATIBILITY_SCHEMA = "public"  # of the compatibility views of the sample's dbt project


def create_sample_schemas(connection: Connection, role: str) -> None:
    """Create the schemas of the sample warehouse and its dbt project, readable for the role."""
    for name in SAMPLE_SCHEMAS:
        run(connection, "create schema if not exists {schema}", schema=sql.Identifier(name))
    _grant_future(connection, role, COMPATIBILITY_SCHEMA)


def grant_select(connection: Connection, role: str) -> None:
    """Grant SELECT on what is there, and on what this user will create there."""
    for schema in _rows(connection, "reader_schemas", role):
        name = schema["schema_name"]
        if schema["may_grant"] and not schema["is_readable"]:
            identifiers = {"schema": sql.Identifier(name), "role": sql.Identifier(role)}
            run(connection, "grant usage on schema {schema} to {role}", **identifiers)
        if schema["may_create"]:
            _grant_future(connection, role, name)
    unread = [row for row in _rows(connection, "reader_relations", role) if row["may_grant"]]
    for start in range(0, len(unread), RELATIONS_PER_STATEMENT):
        rows = unread[start : start + RELATIONS_PER_STATEMENT]
        names = [sql.Identifier(row["schema_name"], row["relation_name"]) for row in rows]
        relations = sql.SQL(", ").join(names)
        statement = "grant select on {relations} to {role}"
        run(connection, statement, relations=relations, role=sql.Identifier(role))


def grant_shared_views(connection: Connection, role: str) -> None:
    """Grant SELECT on the views of schema ops that are for users, if this user may."""
    parts = {"role": sql.Identifier(role)}
    for row in _rows(connection, "shared_views", role):
        if row["may_grant_usage"]:
            run(connection, "grant usage on schema ops to {role}", **parts)
        if row["may_grant"]:
            view = sql.Identifier("ops", row["view_name"])
            run(connection, "grant select on {view} to {role}", view=view, **parts)


def unreadable(connection: Connection, role: str) -> list[str]:
    """Return a line for each owner of what the role can't read, with the statement for that owner."""
    schemas = [row for row in _rows(connection, "reader_schemas", role) if not row["is_readable"]]
    relations = _rows(connection, "reader_relations", role)
    return [
        *_lines(role, "schema", "USAGE ON SCHEMA", schemas),
        *_lines(role, "relation", "SELECT ON", relations),
    ]


def missing_user_mappings(connection: Connection, role: str) -> list[str]:
    """Return a line for each server whose foreign tables the role can't read, whichever SELECT it is granted."""
    return [
        f"{role} can't read {counted(row['foreign_tables'], 'foreign table')} such as {row['example']};"
        f" {row['owner']} has to run: CREATE USER MAPPING FOR {quoted_name(role)} SERVER"
        f" {quoted_name(row['server_name'])} OPTIONS (user '…', password '…');"
        for row in _rows(connection, "missing_user_mappings", role)
    ]


def withdraw(connection: Connection, role: str) -> list[str]:
    """Revoke what this user granted in schemas that are covered no longer; return a line for each."""
    granted: defaultdict[str, list[str]] = defaultdict(list)
    for row in _rows(connection, "withdrawn_relations", role):
        granted[row["schema_name"]] += [row["relation_name"]] if row["is_ours"] else []
    for schema, names in granted.items():
        parts = {"schema": sql.Identifier(schema), "role": sql.Identifier(role)}
        for start in range(0, len(names), RELATIONS_PER_STATEMENT):
            chunk = names[start : start + RELATIONS_PER_STATEMENT]
            relations = sql.SQL(", ").join(sql.Identifier(schema, name) for name in chunk)
            statement = "revoke select on {relations} from {role}"
            run(connection, statement, relations=relations, role=parts["role"])
        run(connection, "revoke usage on schema {schema} from {role}", **parts)
        statement = (
            "alter default privileges in schema {schema} revoke select on tables from {role}"
        )
        run(connection, statement, **parts)
    return [
        f"{role} may no longer read schema {quoted_name(schema)}, which ANALYTICS_SCHEMAS does not name"
        for schema in granted
    ]


def _lines(role: str, kind: str, privilege: str, rows: Sequence[RowMapping]) -> list[str]:
    labels: defaultdict[str, list[str]] = defaultdict(list)
    for row in rows:
        labels[row["owner"]].append(row["label"])
    return [_line(role, kind, privilege, owner, names) for owner, names in labels.items()]


def _line(role: str, kind: str, privilege: str, owner: str, labels: Sequence[str]) -> str:
    count = f"1 {kind}" if len(labels) == 1 else f"{len(labels):,} {kind}s"
    shown = ", ".join(labels[:MAX_NAMES])
    more = f" (and {len(labels) - MAX_NAMES:,} more)" if len(labels) > MAX_NAMES else ""
    return (
        f"{role} can't read {count} of {owner}, who has to run: GRANT {privilege} {shown} TO"
        f" {quoted_name(role)};{more}"
    )


def _grant_future(connection: Connection, role: str, schema: str) -> None:
    statement = "alter default privileges in schema {schema} grant select on tables to {role}"
    run(connection, statement, schema=sql.Identifier(schema), role=sql.Identifier(role))


def _rows(connection: Connection, name: str, role: str) -> Sequence[RowMapping]:
    statement = text((Path(__file__).parent / "sql" / f"{name}.sql").read_text())
    parameters = {"role": role, "schemas": covered_schemas(), "shared_views": list(SHARED_VIEWS)}
    return connection.execute(statement, parameters).mappings().all()


def run(connection: Connection, template: str, **parts: sql.Composable) -> None:
    """Run a statement with identifiers and literals quoted by the driver."""
    raw = connection.connection.driver_connection
    with raw.cursor() as cursor:  # pyright: ignore[reportOptionalMemberAccess]
        cursor.execute(sql.SQL(template).format(**parts))
