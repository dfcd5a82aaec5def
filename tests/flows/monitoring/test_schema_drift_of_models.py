"""A column that dbt models or views read is dropped, renamed or made nullable: one incident that names them."""

import time

import pytest

from analytics_worker.database.connections import run_sql, warehouse
from flows.alerts.evaluation import reads as rule_reads
from tests.flows.alerts.rules import rule, store
from tests.flows.monitoring.drift import (
    OPENED,
    RESOLVED,
    last_text,
    model,
    plan,
    see,
)

VIEWS = 200


@pytest.mark.usefixtures("shop")
def test_a_renamed_column_opens_before_dbt_runs(incidents, sql):
    """The view goes on with the column; the text of its model does not."""
    sql("create view analytics.staged as select amount from raw.orders")
    sql("create view analytics.other as select note from raw.orders")
    model(sql, "staged", ("raw", "orders"))
    model(sql, "other", ("raw", "orders"))
    sql("alter table raw.orders rename amount to total")
    assert incidents.told() == [OPENED]
    assert "amount was renamed to total: read by dbt model analytics.staged" in last_text(sql)
    assert "analytics.other" not in last_text(sql)
    see()
    plan()
    assert incidents.told() == []
    sql("update ops.dbt_node_health set built_at = now() where name = 'staged'")
    assert incidents.told() == []
    store(rule("revenue", "select sum(total) as value from raw.orders"))
    plan()
    assert incidents.told() == [RESOLVED]


def test_a_model_that_is_a_table_may_read_any_column_until_it_is_built(incidents, sql):
    sql("create table raw.events (id int, kind text); create table analytics.daily (n int)")
    model(sql, "daily", ("raw", "events"))
    see()
    sql("alter table raw.events drop kind")
    assert incidents.told() == ["opened [warning] columns of raw.events"]
    see()
    sql("update ops.dbt_node_health set status = 'failing', since = now()")
    assert incidents.told() == ["severity_changed [now critical] columns of raw.events"]
    sql("update ops.dbt_node_health set status = 'ok', built_at = now()")
    assert incidents.told() == ["resolved [resolved] columns of raw.events"]


def test_a_view_that_was_dropped_with_the_column_is_affected(incidents, sql):
    sql("create table raw.events (id int, kind text)")
    sql("create view analytics.kinds as select kind from raw.events")
    model(sql, "kinds", ("raw", "events"))
    see()
    sql("alter table raw.events drop kind cascade")
    assert incidents.told() == ["opened [critical] columns of raw.events"]


def test_what_dbt_builds_itself_is_followed_by_its_models(incidents, sql):
    sql("create table analytics.a (id int, kind text); create table analytics.b (n int)")
    model(sql, "a", ("raw", "none"))
    model(sql, "b", ("analytics", "a"))
    see()
    sql("drop table analytics.a; create table analytics.a (id int)")
    see()
    assert incidents.told() == []


def test_a_column_that_may_be_null_names_the_views_that_read_it(incidents, sql):
    sql("create table raw.events (id int not null, kind text not null)")
    sql("create materialized view analytics.kinds as select kind from raw.events")
    see()
    sql("alter table raw.events alter id drop not null")
    see()
    assert incidents.told() == []
    sql("alter table raw.events alter kind drop not null")
    see()
    assert incidents.told() == ["opened [warning] columns of raw.events"]
    assert "kind may be null now: read by view analytics.kinds" in last_text(sql)


def test_two_hundred_views_and_five_hundred_rules(incidents, sql):
    """The time of the statement is printed; a tick runs it each minute."""
    sql("create table raw.wide (" + ", ".join(f"c{n} int not null" for n in range(100)) + ")")
    sql("grant select on raw.wide to analytics_reader")
    for number in range(VIEWS):
        sql(
            f"create view analytics.v{number} as select c{number % 100}, c{(number + 1) % 100} from raw.wide"
        )
        model(sql, f"v{number}", ("raw", "wide"))
    store(
        *(
            rule(f"r{n}", f"select c{n % 100} as value from raw.wide where c{n % 50} > 0")
            for n in range(500)
        )
    )
    while rule_reads.record_reads():
        pass
    see()
    sql("update ops.alert_rules set updated_at = now() - interval '9 days'; analyze")
    for statement in (
        "select 1",
        "alter table raw.wide rename c7 to d7; alter table raw.wide alter c8 type bigint",
    ):
        if "c8" in statement:
            sql("drop view analytics.v7, analytics.v8, analytics.v107, analytics.v108")
        sql(statement)
        with warehouse() as connection:
            run_sql(connection, "monitoring/problems_drift")
            start = time.perf_counter()
            rows = run_sql(connection, "monitoring/problems_drift")
            print(  # noqa: T201  # shown, not asserted
                f"{statement}: {(time.perf_counter() - start) * 1000:.0f} ms, {len(rows)} relations"
            )
    plan()
    assert incidents.told() == ["opened [critical] columns of raw.wide"]
    reached = {name for _, name in sql("select affected from ops.incidents")[0][0]}
    assert {"r7", "r8", "analytics.v6"} <= reached
    assert "r9" not in reached
