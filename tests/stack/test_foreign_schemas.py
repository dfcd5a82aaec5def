"""A team's own database gets schema ops and the reader role, and nothing else; the rest is proposed."""

import pytest

from analytics_worker.doctor.runner import _database
from analytics_worker.migrations import migrate
from analytics_worker.settings import settings
from flows.analytics import refresh_catalog
from flows.dbt import run_dbt_models, run_dbt_tests

SCHEMAS = "select nspname from pg_namespace where nspname !~ '^pg_' order by 1"


@pytest.fixture(autouse=True)
def may_create_roles(foreign):
    foreign.administer(f'alter role "{foreign.owner}" createrole')


def cover(monkeypatch, schemas):
    monkeypatch.setenv("ANALYTICS_SCHEMAS", schemas)
    settings.cache_clear()


def test_only_ops_is_created_and_no_privilege_is_changed(foreign):
    foreign.run(
        "create schema sales; create table sales.orders (id int); create view public.v as select 1 as one"
    )
    before = foreign.acls()
    (note,) = migrate().notes
    assert foreign.run(SCHEMAS) == [
        (name,) for name in ("information_schema", "ops", "public", "sales")
    ]
    assert foreign.acls() == before
    assert note.startswith("ANALYTICS_SCHEMAS=raw,staging,analytics covers nothing")
    assert "Set ANALYTICS_SCHEMAS=public,sales" in note
    assert "sales (1 relations)" in note


def test_a_schema_that_does_not_exist_is_named_with_the_one_that_was_meant(foreign, monkeypatch):
    foreign.run(
        'create schema sales; create table sales.orders (id int); create schema "Weird Name"'
    )
    cover(monkeypatch, 'sales,sale,"Weird Name"')
    assert migrate().notes == [
        "ANALYTICS_SCHEMAS: no schema 'sale' found; did you mean 'sales'?",
        "ANALYTICS_SCHEMAS: no schema '\"Weird Name\"' found; did you mean 'Weird Name'?",
    ]


def test_the_schema_of_the_worker_is_refused(monkeypatch):
    cover(monkeypatch, "ops")
    with pytest.raises(Exception, match="ANALYTICS_SCHEMAS names ops"):
        migrate()


def test_doctor_and_the_catalog_say_that_nothing_is_covered(foreign, prefect_api):  # noqa: ARG001  # runs the flow
    foreign.run("create schema crm; create table crm.leads (id int)")
    migrate()
    findings = [finding for finding in _database() if finding.name == "analytics schemas"]
    assert ["Set ANALYTICS_SCHEMAS=crm" in finding.message for finding in findings] == [True]
    result = refresh_catalog()
    assert result["status"] == "skipped"
    assert "Set ANALYTICS_SCHEMAS=crm" in result["message"]


def test_what_others_own_is_covered_as_far_as_it_may_be_and_the_rest_is_said(foreign, monkeypatch):
    foreign.run(f'create schema sales; grant create, usage on schema sales to "{foreign.dba}"')
    foreign.run("create table sales.orders as select 1 as amount")
    foreign.run("create table sales.targets as select 1 as amount", foreign.dba)
    foreign.run('create view sales."Weird ""name" as select 1 as "select"', foreign.dba)
    foreign.administer(f'create schema finance authorization "{foreign.dba}"')
    foreign.run("create table finance.ledger as select 1 as amount", foreign.dba)
    cover(monkeypatch, "sales,finance")
    notes = migrate().notes
    assert foreign.run(
        f"select has_table_privilege('{foreign.reader}', 'sales.orders', 'select')"
    ) == [(True,)]
    assert [note.partition(" who has to run: ")[2] for note in notes] == [
        f'GRANT USAGE ON SCHEMA finance TO "{foreign.reader}";',
        f'GRANT SELECT ON finance.ledger, sales."Weird ""name", sales.targets TO "{foreign.reader}";',
    ]
    for note in notes:
        foreign.run(note.partition(" who has to run: ")[2], foreign.dba)
    assert migrate().notes == []


@pytest.mark.usefixtures("prefect_api")
def test_the_sample_project_builds_nothing_where_its_sources_are_missing(foreign):
    migrate()
    before = foreign.run(SCHEMAS)
    for result in (run_dbt_models(), run_dbt_tests()):
        assert result["status"] == "skipped"
        assert "Set DBT_PROJECT_PATH to your project" in result["message"]
    assert foreign.run(SCHEMAS) == before
