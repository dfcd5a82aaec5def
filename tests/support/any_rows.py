"""Insert rows into every table of schema ops at any revision: one for each value that a check allows."""

import json
import re
from typing import Any

from psycopg2.sql import SQL, Composable, Identifier, Literal

from tests.support.backups import connected

CONTENT = json.dumps({"subject": "s", "text": "t", "json": {}})
TEXTS = {"channel": "webhook", "recipient": "webhook"}
JSON = {"payload": CONTENT, "content": CONTENT, "definition": '{"owner": "owner@example.com"}'}
FIXED = {
    ("deployment_notices", "details"): json.dumps(
        {"state": "Failed", "message": "m", "run_id": "r", "failures": 2}
        | dict.fromkeys(("since", "ended_at"), "2026-11-22T09:00:00")
    ),
    ("report_runs", "mail"): CONTENT,
    ("alert_silences", "rule"): "alert_rules name 0",
    ("deployment_notices", "channel"): "webhook",
    ("deployment_notices", "recipient"): "webhook",
    ("deliveries", "domain"): "alerts",
    ("messages", "domain"): "alerts",
    ("contract_checks", "schema_name"): "contracts schema_name 0",
    ("contract_checks", "relation_name"): "contracts relation_name 0",
}
COLUMNS = """
select
    relation.relname::text, attribute.attname::text, attribute.atttypid::regtype::text,
    attribute.attnotnull and not attribute.atthasdef and attribute.attidentity = '',
    (
        select pg_get_constraintdef(allowed.oid) from pg_constraint as allowed
        where allowed.conrelid = relation.oid and allowed.contype = 'c' and allowed.conkey = array[attribute.attnum]
            and pg_get_constraintdef(allowed.oid) like '%ARRAY[%' limit 1
    ),
    (
        select target.relname::text from pg_constraint as reference
        inner join pg_class as target on target.oid = reference.confrelid
        where reference.conrelid = relation.oid and reference.contype = 'f' and reference.conkey @> array[attribute.attnum]
        limit 1
    )
from pg_class as relation
inner join pg_attribute as attribute on attribute.attrelid = relation.oid and attribute.attnum > 0
where relation.relnamespace = 'ops'::regnamespace and relation.relkind = 'r' and not attribute.attisdropped
    and relation.relname <> 'alembic_version'
order by relation.relname, attribute.attnum
"""


def fill_every_table(url: str) -> dict[str, int]:
    """Insert rows into all tables; return how many each has got."""
    tables: dict[str, list[Any]] = {}
    with connected(url) as cursor:
        cursor.execute(COLUMNS)
        for name, *column in cursor.fetchall():
            tables.setdefault(name, []).append(column)
        return {name: _fill(cursor, name, tables[name]) for name in _in_order(tables)}


def _in_order(tables: dict[str, list[Any]]) -> list[str]:
    """Return the tables so that each comes after those that it refers to."""
    ordered: list[str] = []

    def add(name: str) -> None:
        for *_, target in tables[name]:
            if target and target not in {name, *ordered}:
                add(target)
        if name not in ordered:
            ordered.append(name)

    for name in tables:
        add(name)
    return ordered


def _fill(cursor: Any, name: str, columns: list[Any]) -> int:
    allowed = {
        column: re.findall(r"'([^']*)'::text", check or "") for column, _, _, check, _ in columns
    }
    count = max([2, *map(len, allowed.values())])
    for number in range(count):
        chosen: dict[str, Any] = {}
        references: dict[str, str] = {}
        for column, kind, required, _, target in columns:
            if (name, column) in FIXED:
                chosen[column] = FIXED[name, column]
            elif target and required:
                references[column] = target
            elif allowed[column]:
                chosen[column] = allowed[column][number % len(allowed[column])]
            elif required or (column, kind) == ("key", "text"):
                chosen[column] = _value(name, column, kind, number)
        _insert(cursor, name, chosen, references, number)
    return count


def _insert(
    cursor: Any, name: str, chosen: dict[str, Any], references: dict[str, str], number: int
) -> None:
    values: list[Composable] = [SQL("%s") for _ in chosen]
    for target in references.values():
        key = Identifier("query_id" if target == "query_texts" else "id")
        row = SQL("(select {} from {} order by 1 offset {} limit 1)")
        values.append(row.format(key, Identifier("ops", target), Literal(number % 2)))
    statement = SQL("insert into {} ({}) values ({})").format(
        Identifier("ops", name),
        SQL(", ").join(map(Identifier, [*chosen, *references])),
        SQL(", ").join(values),
    )
    cursor.execute(statement, list(chosen.values()))


def _value(table: str, column: str, kind: str, number: int) -> Any:
    if kind == "text":
        is_known = column in TEXTS and table.endswith("deliveries")
        return TEXTS[column] if is_known else f"{table} {column} {number}"
    if kind.startswith("timestamp") or kind == "date":
        return f"2026-11-{number + 1:02}"
    others = {
        "jsonb": JSON.get(column, "{}"),
        "uuid": f"00000000-0000-0000-0000-{number:012}",
        "boolean": number % 2 == 0,
        "interval": "2 minutes",
        "text[]": ["manifest.json"],
    }
    return others.get(kind, number + 1)
