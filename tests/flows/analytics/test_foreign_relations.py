"""Catalog, refresh, rules and reports on a warehouse of others: any owner, any kind of relation, any name."""

import pytest

from analytics_worker.database.reader_sessions import reader_session
from analytics_worker.migrations import migrate
from analytics_worker.settings import settings
from flows.analytics import refresh_catalog, refresh_materialized_views
from tests.support.foreign_warehouse import PASSWORD
from tests.support.installed_warehouse import dumped_schema

pytestmark = pytest.mark.usefixtures("prefect_api")

THEIRS = """
create schema "Weird Name"; create schema ünïcode; create schema "order";
create table "order"."select" ("from" integer primary key, "Größe" numeric, at date);
create table "order"."per day" (at date, amount numeric) partition by range (at);
create table "order"."2026" partition of "order"."per day" for values from ('2026-01-01') to ('2027-01-01');
insert into "order"."select" values (1, 2.5, '2026-01-01');
insert into "order"."per day" values ('2026-02-01', 3);
create materialized view "Weird Name"."a ""quoted"" view" as
select "from" as id, "Größe" from "order"."select";
create materialized view ünïcode.übersicht as select count(*) as n from "Weird Name"."a ""quoted"" view";
create view "order"."user" as select n from ünïcode.übersicht;
create materialized view "order"."group" as select n from "order"."user";
"""
SCHEMAS = "Weird Name,ünïcode,order"


def prepare(warehouse, monkeypatch, schemas=SCHEMAS):
    monkeypatch.setenv("ANALYTICS_SCHEMAS", schemas)
    settings.cache_clear()
    warehouse.administer(f'alter role "{warehouse.owner}" createrole')


def refreshed():
    results = refresh_materialized_views(return_state=True).result(raise_on_failure=False)
    return {each["view"]: (each["status"], each["error"]) for each in results["results"]}


def read(statement):
    with reader_session() as session:
        return session.fetch(statement).rows


def test_odd_names_partitions_and_views_without_an_index_in_several_schemas(foreign, monkeypatch):
    prepare(foreign, monkeypatch)
    foreign.run(THEIRS)
    assert migrate().notes == []
    result = refresh_catalog()
    assert result["stats"]["kinds"] == {
        "table": 2,
        "partitioned table": 1,
        "view": 1,
        "materialized view": 3,
    }
    foreign.run('insert into "order"."select" values (2, 2.5, \'2026-01-02\')')
    names = {'"Weird Name"."a ""quoted"" view"', '"order"."group"', '"ünïcode"."übersicht"'}
    assert refreshed() == dict.fromkeys(names, ("success", None))
    assert read('select n from "order"."group"') == [("2",)]
    assert read('select sum(amount) from "order"."per day"') == [("3",)]
    assert read('select "Größe" from "order"."select" where "from" = 1') == [("2.5",)]


def test_a_view_of_another_owner_stops_no_other_and_the_grant_is_named(foreign, monkeypatch):
    prepare(foreign, monkeypatch, "sales")
    foreign.run(f'create schema sales; grant create, usage on schema sales to "{foreign.dba}"')
    foreign.run("create materialized view sales.ours as select 1 as one")
    theirs = "create materialized view sales.theirs as select 2 as two"
    foreign.run(theirs, foreign.dba)
    migrate()
    views = refreshed()
    assert views["sales.ours"] == ("success", None)
    status, error = views["sales.theirs"]
    assert status == "failed"
    assert "GRANT MAINTAIN" in error
    foreign.run(f'grant maintain on sales.theirs to "{foreign.owner}"', foreign.dba)
    assert refreshed()["sales.theirs"] == ("success", None)


def test_three_thousand_tables(foreign, monkeypatch):
    prepare(foreign, monkeypatch, "many")
    foreign.run("create schema many")
    foreign.run(
        "do $$ begin for i in 1..3000 loop"
        " execute format('create table many.%I (id int)', 'Table ' || i); end loop; end $$"
    )
    assert migrate().notes == []
    result = refresh_catalog()
    assert (result["status"], result["stats"]["relations"]) == ("success", 3000)
    assert read('select count(*) from many."Table 3000"') == [("0",)]


def test_nothing_of_theirs_differs_but_the_documented_grants(installed_warehouse, monkeypatch):
    warehouse = installed_warehouse
    prepare(warehouse, monkeypatch)
    warehouse.run(THEIRS)
    before = dumped_schema(warehouse)
    migrate()
    refresh_catalog()
    refreshed()
    migrate()
    after = dumped_schema(warehouse)
    assert [statement for statement in before if statement not in after] == []
    added = [statement for statement in after if statement not in before]
    reader = f'TO "{warehouse.reader}"'
    grants = ("GRANT USAGE ON SCHEMA", "GRANT SELECT ON TABLE", "ALTER DEFAULT PRIVILEGES FOR ROLE")
    assert added
    assert [each for each in added if not (each.startswith(grants) and each.endswith(reader))] == []


def test_foreign_tables(installed_warehouse, monkeypatch):
    warehouse = installed_warehouse
    prepare(warehouse, monkeypatch, "remote")
    try:
        warehouse.administer("create extension postgres_fdw")
    except Exception as error:  # noqa: BLE001  # any reason why this PostgreSQL lacks
        pytest.skip(f"no postgres_fdw: {error}")
    warehouse.run(
        "create schema remote; create schema near; create table near.rates as select 7 as rate"
    )
    host, owner = warehouse.administrator.query["host"], warehouse.owner
    warehouse.administer(
        f"create server there foreign data wrapper postgres_fdw options (host '{host}',"
        f" dbname '{warehouse.database}'); grant usage on foreign server there to \"{owner}\";"
        f" create user mapping for public server there options (user '{owner}', password '{PASSWORD}')"
    )
    warehouse.run(
        "create foreign table remote.rates (rate integer) server there"
        " options (schema_name 'near', table_name 'rates');"
        " create materialized view remote.copied as select rate from remote.rates"
    )
    assert migrate().notes == []
    assert refresh_catalog()["stats"]["kinds"] == {"foreign table": 1, "materialized view": 1}
    assert read("select rate from remote.rates") == [("7",)]
    assert refreshed() == {"remote.copied": ("success", None)}
