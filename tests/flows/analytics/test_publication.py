"""publish: checked: the new content of a view that breaks its contract is not seen, and its readers keep that of before."""

import pytest

from analytics_worker.contracts.update import check_contracts
from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.prefect_support.results import RunFailed
from flows.analytics import refresh_materialized_views

pytestmark = pytest.mark.usefixtures("prefect_api", "environment")

READABLE = "grant select on all tables in schema raw, analytics to analytics_reader"


@pytest.fixture
def kpis(sql, monkeypatch, tmp_path):
    """A view with a contract, one without, and one that reads the first."""
    folder = tmp_path / "definitions"
    folder.mkdir()
    monkeypatch.setattr("analytics_worker.completeness.trust_file.project_root", lambda: tmp_path)
    sql(
        "create table raw.orders (team text, amount int); insert into raw.orders values ('a', 1), ('b', 2)"
    )
    sql(
        'create materialized view analytics."KPI {x} 100%" as select team as "t%", amount as n from raw.orders'
    )
    sql('create unique index on analytics."KPI {x} 100%" ("t%")')
    sql("create materialized view analytics.other as select sum(amount) as n from raw.orders")
    sql(
        'create materialized view analytics.above as select sum(n) as n from analytics."KPI {x} 100%"'
    )
    sql(READABLE)

    def write(contract):
        (folder / "trust.yml").write_text(f'contracts:\n  analytics."KPI {{x}} 100%": {contract}\n')
        check_contracts()

    write("{publish: checked, columns: {'t%': {accepted: [a, b, 'c %s']}, n: {min: 0, type: int}}}")
    return write


def content(sql):
    """What readers see of the three views."""
    return [
        sql('select "t%", n from analytics."KPI {x} 100%" order by 1'),
        sql("select n from analytics.other"),
        sql("select n from analytics.above"),
    ]


def failed_refresh():
    with pytest.raises(RunFailed) as error:
        refresh_materialized_views()
    assert error.value.result
    return error.value.result["message"]


@pytest.mark.usefixtures("kpis")
def test_content_that_breaks_the_contract_is_not_seen(sql):
    sql("insert into raw.orders values ('x', -7)")
    message = failed_refresh()
    assert '"KPI {x} 100%" was not published, readers keep its content of before' in message
    assert "n is less than 0: 1 row" in message
    assert "t% has other values than those accepted: 1 row" in message
    assert content(sql) == [[("a", 1), ("b", 2)], [(-4,)], [(3,)]]
    with warehouse() as connection:
        problems = run_sql(connection, "monitoring/problems_views")
    assert [(each["relation_name"], each["severity"]) for each in problems] == []
    sql("update ops.refresh_log set finished_at = now() - interval '6 minutes'")
    with warehouse() as connection:
        problems = run_sql(connection, "monitoring/problems_views")
    assert [each["relation_name"] for each in problems] == ["KPI {x} 100%"], "its run has ended"
    sql("delete from raw.orders where amount < 0")
    sql("insert into raw.orders values ('c %s', 4)")
    assert refresh_materialized_views()["status"] == "success"
    assert content(sql) == [[("a", 1), ("b", 2), ("c %s", 4)], [(7,)], [(7,)]]


@pytest.mark.usefixtures("kpis")
def test_the_limit_of_a_check_is_not_that_of_the_refresh(sql, limits):
    limits(refresh_statement_timeout_seconds=1234)
    sql("create function analytics.limits() returns trigger language plpgsql as $$ begin"
        " insert into analytics.seen values (new.view_name, new.status, current_setting('statement_timeout')); return new; end $$;"
        " create table analytics.seen (name text, status text, value text);"
        " create trigger seen before update on ops.refresh_log for each row execute function analytics.limits()")  # fmt: skip
    sql("insert into raw.orders values ('c %s', 4)")
    refresh_materialized_views()
    seen = sql("select value from analytics.seen where name like 'KPI%' and status = 'success'")
    assert seen == [("1234s",)]


def test_a_check_that_cannot_be_measured_does_not_hold_it_back(sql, kpis):
    kpis(
        "{publish: checked, columns: {n: {accepted: [one]}, 't%': {type: no_such_type, not_null: true}}}"
    )
    sql("insert into raw.orders values ('d', 5)")
    result = refresh_materialized_views()
    assert result["status"] == "success"
    reasons = " ".join(row["reason"] for row in result["results"])
    assert "published without some checks: there is no type no_such_type" in reasons
    assert 'invalid input syntax for type integer: "one"' in reasons
    assert content(sql)[0][-1] == ("d", 5)


def test_types_with_operators_of_their_own_are_not_compared_as_the_worker(sql, kpis):
    sql(
        "create type analytics.pair as (a int, b int); create type analytics.kind as enum ('x', 'y')"
    )
    sql(
        "create table raw.typed (id int, p analytics.pair, k analytics.kind); insert into raw.typed values (1, (1, 2), 'y')"
    )
    sql(
        "create materialized view analytics.typed as select * from raw.typed; create unique index on analytics.typed (id)"
    )
    kpis(
        "{columns: {}}\n  analytics.typed: {publish: checked, columns: {p: {not_null: true}, k: {accepted: [x]}}}"
    )
    sql("insert into raw.typed values (2, null, 'x')")
    assert "k has other values than those accepted: 1 row" in failed_refresh()
    sql("delete from raw.typed where id = 1")
    result = refresh_materialized_views()
    reasons = " ".join(row["reason"] for row in result["results"])
    assert "p is pair, no type of PostgreSQL" in reasons
