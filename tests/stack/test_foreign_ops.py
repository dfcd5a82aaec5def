"""A schema ops that is not the worker's, or a newer version's, is one line before anything is changed."""

import pytest

from analytics_worker.migrations import MigrationError, migrate

RELATIONS = "select count(*) from pg_class where relnamespace = 'ops'::regnamespace"


@pytest.fixture(autouse=True)
def may_create_roles(foreign):
    foreign.administer(f'alter role "{foreign.owner}" createrole')


def refusal(foreign):
    """The error of a migration that changed nothing."""
    before = foreign.acls(), foreign.run(RELATIONS)
    with pytest.raises(MigrationError) as refused:
        migrate()
    assert (foreign.acls(), foreign.run(RELATIONS)) == before
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_tables_of_another_application_are_named_with_what_to_do(foreign):
    foreign.run(
        'create schema ops; create table ops.tickets (id int); create view ops."Open" as select 1'
    )
    message = refusal(foreign)
    assert (
        "The schema ops exists and has other tables (Open, tickets); nothing was changed" in message
    )
    assert "ALTER SCHEMA ops RENAME TO" in message
    foreign.run("alter schema ops rename to tickets")
    assert migrate().revision


def test_the_tables_of_a_newer_version_are_kept(foreign):
    migrate()
    foreign.run("update ops.alembic_version set version_num = '9999_later'")
    assert "at revision '9999_later', which this version of the worker does not know" in refusal(
        foreign
    )


def test_missing_functions_are_named_as_statements_that_an_administrator_can_run(foreign):
    functions = "pg_advisory_xact_lock(bigint), pg_advisory_lock(int, int), pg_cancel_backend(int)"
    foreign.administer(f"revoke execute on function {functions} from public")
    with pytest.raises(MigrationError) as refused:
        migrate()
    _, *statements = str(refused.value).splitlines()
    revoked = ["pg_advisory_lock(integer,integer)", "pg_advisory_xact_lock(bigint)"]
    to = f'TO "{foreign.owner}";'
    assert {f"GRANT EXECUTE ON FUNCTION {each} {to}" for each in revoked} < set(statements)
    assert f"GRANT EXECUTE ON FUNCTION pg_cancel_backend(integer) {to}" in statements
    for statement in statements:
        foreign.administer(statement)
    assert migrate().revision
