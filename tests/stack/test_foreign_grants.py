"""What the reader may read in a team's own database: withdrawn with its schema, and said where it can't be granted."""

import psycopg2
import pytest
from sqlalchemy import text

from analytics_worker.database.connections import direct_connection, reader_url
from analytics_worker.database.server_messages import server_message
from analytics_worker.doctor import reader_role
from analytics_worker.migrations import migrate
from analytics_worker.settings import settings
from tests.support.doctor_findings import problems
from tests.support.foreign_warehouse import PASSWORD


def cover(monkeypatch, schemas):
    monkeypatch.setenv("ANALYTICS_SCHEMAS", schemas)
    settings.cache_clear()


@pytest.fixture
def covered(foreign, monkeypatch):
    """Two schemas with a table each, one of which is covered no longer after the first migration."""
    foreign.administer(f'alter role "{foreign.owner}" createrole')
    foreign.run("create schema sales; create table sales.orders as select 1 as amount")
    before = foreign.acls()
    foreign.run(
        'create schema "Fin ance"; create table "Fin ance"."Led""ger" as select 1 as amount'
    )
    cover(monkeypatch, "sales")
    migrate()
    assert foreign.acls() != before
    return foreign


def readable(warehouse):
    """The privileges of the reader."""
    return [row for row in warehouse.acls() if warehouse.reader in str(row[2])]


def test_grants_are_withdrawn_from_a_schema_that_is_covered_no_longer(covered, monkeypatch):
    before = readable(covered)
    cover(monkeypatch, "sales,Fin ance")
    migrate()
    covered.run('create table "Fin ance".later as select 1 as amount')
    cover(monkeypatch, "sales")
    notes = migrate().notes
    assert notes == [
        f'{covered.reader} may no longer read schema "Fin ance", which ANALYTICS_SCHEMAS does not name'
    ]
    assert readable(covered) == before
    assert not covered.run(f"select has_schema_privilege('{covered.reader}', 'Fin ance', 'usage')")[
        0
    ][0]
    assert migrate().notes == []


def test_what_others_granted_to_the_reader_stays(covered):
    covered.administer(f'create schema hr authorization "{covered.dba}"')
    covered.run("create table hr.people as select 1 as amount", covered.dba)
    covered.run(f'grant select on hr.people to "{covered.reader}"', covered.dba)
    assert migrate().notes == []
    assert covered.administer(
        f"select has_table_privilege('{covered.reader}', 'hr.people', 'select')"
    )[0][0]


def test_the_role_of_a_service_is_found_by_its_connection(foreign, monkeypatch, tmp_path):
    foreign.run("create schema sales; create table sales.orders as select 11 as amount")
    services = tmp_path / "services"
    url = foreign.url()
    services.write_text(
        f"[reader]\nhost={url.query['host']}\nuser={foreign.dba}\npassword={PASSWORD}\ndbname={foreign.database}\n"
    )
    monkeypatch.setenv("PGSERVICEFILE", str(services))
    monkeypatch.setenv("READER_DATABASE_URL", "postgresql:///?service=reader")
    cover(monkeypatch, "sales")
    assert migrate(grant_reader=True).notes == []
    assert foreign.run("table sales.orders", foreign.dba) == [(11,)]


def test_a_foreign_table_without_a_user_mapping_is_said(covered):
    covered.administer(
        "create foreign data wrapper nothing; create server far foreign data wrapper nothing;"
        f'grant usage on foreign server far to "{covered.owner}";'
    )
    covered.run("create foreign table sales.far (id int) server far")
    covered.administer(f'create user mapping for "{covered.owner}" server far')
    (note,) = migrate().notes
    assert "can't read 1 foreign table such as sales.far; " in note
    create = f'CREATE USER MAPPING FOR "{covered.reader}" SERVER "far" OPTIONS ('
    assert create in note
    found = problems(reader_role.reader())["reader's foreign tables"]
    assert found.level == "warn"
    assert create in found.fix
    covered.administer(f'create user mapping for "{covered.reader}" server far')
    assert migrate().notes == []


@pytest.mark.usefixtures("covered")
def test_a_query_of_what_was_not_granted_says_what_grants_it():
    """A table that dbt made in a new schema, for example."""
    with (
        direct_connection(reader_url()) as connection,
        pytest.raises(Exception, match="permission denied") as refused,
    ):
        connection.execute(text('select * from "Fin ance"."Led""ger"'))
    error = getattr(refused.value, "orig", None)
    assert isinstance(error, psycopg2.Error)
    assert "analytics-worker migrate` grants what ANALYTICS_SCHEMAS names" in server_message(error)
