"""The columns that a statement may read contain those that the server finds for a view of the same text."""

import random

import pytest

from analytics_worker.lineage.column_reads import column_reads
from tests.support.sql import execute, query

ODD = '"Выручка {x} 100%"'
LONG = "x" * 70
TABLES = (
    "create table raw.orders (id int, amount int, status text, at timestamptz)",
    'create table raw.customers (id int, name text, "Status" text, "a""b" int, Название text)',
    f'create table raw.{ODD} (id int, "сумма %s" int, "select" text, {LONG[:63]} int)',
)
DEPENDENCIES = """
select n.nspname || '.' || c.relname || '.' || a.attname
from pg_rewrite as r
join pg_depend as d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
    and d.refclassid = 'pg_class'::regclass and d.refobjid <> r.ev_class
join pg_attribute as a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid and a.attnum > 0
join pg_class as c on c.oid = a.attrelid
join pg_namespace as n on n.oid = c.relnamespace
where r.ev_class = 'analytics.seen'::regclass
"""
NAMED = ["raw.orders", "raw.customers", f"raw.{ODD}"]
BY_NAME = [
    "select sum(o.amount)*2 as total, count(*) from raw.orders o",
    'select sum(amount * 2) filter (where id>1) from raw.orders as "O" group by status having count( * )>0',
    "select (amount)*2, case when id = 1 then 2 end*3, 2 *id, amount /* * */ *id from raw.orders",
    'select c.NAME, Название, "a""b" from raw.customers as c join raw.orders using (id)',
    f'select "сумма %s", "select", {LONG} from raw.{ODD}',
    "with o (x) as (select amount from raw.orders) select o.x, o from o",
    "select 'status * natural table' as text, $$ * $$ as other, at from raw.orders -- *",
    "select (select max(amount) from raw.orders where id=c.id) from raw.customers c limit 1",
]  # fmt: skip
WITHOUT_NAMES = [
    "select * from raw.orders",
    "select*from raw.orders",
    "select 2*3,* from raw.orders",
    "select /* x */ * from raw.orders",
    "select o.* from raw.orders as o",
    "select distinct on (id) * from raw.orders",
    "select all * from raw.orders",
    "select row_to_json(o) from raw.orders as o",
    "select orders from raw.orders",
    "select o from raw.orders o",
    "select (o).amount from raw.orders o",
    'select count("O") from raw.orders "O"',
    "select a from raw.orders as o (a, b)",
    "select a from raw.orders o(a, b)",
    "select o.status from raw.orders o natural join raw.customers",
    "table raw.orders",
]
FRAGMENTS = {
    "expression": ["o.amount", "o.id*2", "count(*)", "o", "(o.amount) * o.id", "o.*", "1", "max(o.at)", "'*'", "o.status"],
    "from": ["raw.orders o", "raw.orders as o", "(select * from raw.orders) o", "raw.orders o natural join raw.customers c"],
    "end": ["", "where o.id > 1", "order by 1 -- *", "limit 3"],
}  # fmt: skip


@pytest.fixture(autouse=True)
def tables(environment):  # noqa: ARG001  # its database
    for statement in TABLES:
        execute(statement)


def server_columns(statement):
    """The columns that the server knows a view of the statement to read."""
    execute(f"create view analytics.seen as select 1 as one from ({statement}\n) as s")
    found = set(query(DEPENDENCIES))
    execute("drop view analytics.seen")
    return found


def may_read(statement):
    """The columns that the statement may read; None where its text does not name them."""
    reads = column_reads(statement, NAMED)
    if any(each.names is None for each in reads):
        return None
    return {f"{each.schema}.{each.relation}.{name}" for each in reads for name in each.names or ()}


@pytest.mark.parametrize("statement", BY_NAME)
def test_what_the_server_finds_is_among_the_names(statement):
    found = may_read(statement)
    assert found is not None
    assert server_columns(statement) - found == set()


@pytest.mark.parametrize("statement", WITHOUT_NAMES)
def test_columns_without_names_are_all_columns(statement):
    assert may_read(statement) is None


def test_a_relation_that_the_text_does_not_name_is_left_out():
    """It is behind a view."""
    reads = column_reads("select amount from analytics.v", ["raw.orders", "analytics.v"])
    assert [(each.schema, each.relation) for each in reads] == [("analytics", "v")]


def test_mixtures():
    choice = random.Random(26)  # noqa: S311  # the same mixtures each time
    exact = 0
    for _ in range(150):
        parts = [choice.choice(FRAGMENTS["expression"]) for _ in range(choice.randint(1, 3))]
        statement = f"select {', '.join(parts)} from {choice.choice(FRAGMENTS['from'])} {choice.choice(FRAGMENTS['end'])}"
        if "count" in statement or "max" in statement:
            parts = [part for part in parts if part in {"count(*)", "max(o.at)", "1", "'*'"}]
            statement = f"select {', '.join(parts)} from raw.orders as o where o.id > 1"
        found = may_read(statement)
        if found is not None:
            exact += 1
            assert server_columns(statement) - found == set(), statement
    assert exact
