"""The reader role of a team's own database: made once, named after the database, never taken from others."""

import pytest
from sqlalchemy.engine import make_url

from analytics_worker.database.connections import reader_url
from analytics_worker.database.reader_sessions import reader_session
from analytics_worker.migrations import MigrationError, migrate
from analytics_worker.migrations.reader import ReaderRoleError
from analytics_worker.settings import settings
from tests.support.foreign_warehouse import PASSWORD

pytestmark = pytest.mark.usefixtures("foreign")


@pytest.fixture
def may_create_roles(foreign):
    """The owner may create roles; it has a schema with a table."""
    foreign.administer(f'alter role "{foreign.owner}" createrole')
    foreign.run("create schema sales; create table sales.orders as select 11 as amount")


def password_of(foreign, role):
    ((password,),) = foreign.administer(
        f"select rolpassword from pg_authid where rolname = '{role}'"
    )
    return password


def use(monkeypatch, **variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()


@pytest.mark.usefixtures("may_create_roles")
def test_it_is_named_after_its_database_and_says_whose_it_is(foreign, monkeypatch):
    use(monkeypatch, ANALYTICS_SCHEMAS="sales")
    assert migrate().notes == []
    comment = "select shobj_description(oid, 'pg_authid') from pg_roles where rolname = "
    ((text,),) = foreign.administer(f"{comment}'{foreign.reader}'")
    assert f'reader of database "{foreign.database}", made by "{foreign.owner}" in /' in text
    with reader_session() as session:
        assert session.fetch("select amount from sales.orders").rows == [("11",)]
    before, acls = password_of(foreign, foreign.reader), foreign.acls()
    assert migrate().notes == []
    assert (password_of(foreign, foreign.reader), foreign.acls()) == (before, acls)


@pytest.mark.usefixtures("may_create_roles")
def test_a_role_that_another_user_made_is_never_touched(foreign):
    foreign.administer(f"create role \"{foreign.reader}\" login password 'of theirs'")
    before = foreign.administer(f"select * from pg_authid where rolname = '{foreign.reader}'")
    with pytest.raises(ReaderRoleError, match="this worker did not make it") as refused:
        migrate()
    assert "READER_ROLE" in str(refused.value)
    assert "READER_DATABASE_URL" in str(refused.value)
    assert (
        foreign.administer(f"select * from pg_authid where rolname = '{foreign.reader}'") == before
    )
    assert foreign.run("select to_regnamespace('ops')") == [(None,)]


@pytest.mark.usefixtures("may_create_roles")
def test_the_role_of_another_database_of_the_server_is_not_taken(foreign, monkeypatch):
    migrate()
    before = password_of(foreign, foreign.reader)
    other = f"{foreign.database} other"
    foreign.administer(f'create database "{other}" owner "{foreign.dba}" template template0')
    foreign.administer(f"alter role \"{foreign.dba}\" createrole password 'another'")
    url = make_url(foreign.text(foreign.dba, "another")).set(database=other)
    use(monkeypatch, READER_ROLE=foreign.reader)
    try:
        with pytest.raises(ReaderRoleError, match=f'reader of database "{foreign.database}"'):
            migrate(url)
        use(monkeypatch, READER_ROLE="")
        assert migrate(url).revision
        assert password_of(foreign, f"analytics_reader_{other}")
        assert password_of(foreign, foreign.reader) == before
    finally:
        foreign.administer(f'drop database "{other}" with (force)')


@pytest.mark.usefixtures("may_create_roles")
def test_a_new_password_of_the_owner_is_followed_and_said(foreign, monkeypatch):
    migrate()
    foreign.administer(f"alter role \"{foreign.owner}\" password 'changed'")
    use(monkeypatch, DATABASE_URL=foreign.text(password="changed"))
    (note, *_) = migrate().notes
    assert note == f"{foreign.reader} has a new password, because that of DATABASE_URL has changed"
    assert not [note for note in migrate().notes if "password" in note]
    foreign.administer(f"alter role \"{foreign.owner}\" password '{PASSWORD}'")


@pytest.mark.usefixtures("may_create_roles")
def test_the_role_of_an_earlier_version_is_kept(foreign):
    url = reader_url()
    foreign.run(f"create role \"{foreign.reader}\" login password '{url.password}'")
    before = password_of(foreign, foreign.reader)
    migrate()
    assert password_of(foreign, foreign.reader) == before


def test_without_the_right_to_create_roles_nothing_is_half_made(foreign):
    with pytest.raises(ReaderRoleError) as refused:
        migrate()
    assert f'CREATE ROLE "{foreign.reader}" LOGIN NOINHERIT PASSWORD' in str(refused.value)
    assert "\n" not in str(refused.value)
    assert foreign.run("select to_regnamespace('ops')") == [(None,)]


def test_an_explicit_reader_is_tried_before_anything_is_made(foreign, monkeypatch):
    use(monkeypatch, READER_DATABASE_URL=foreign.text(foreign.dba, "wrong"))
    with pytest.raises(ReaderRoleError, match=r"READER_DATABASE_URL does not connect: .*password"):
        migrate()
    assert foreign.run("select to_regnamespace('ops')") == [(None,)]


def test_another_reader_that_does_not_connect_is_named(foreign, monkeypatch):
    url = foreign.text(foreign.dba)
    wrong = foreign.text(foreign.dba, "wrong")
    use(monkeypatch, READER_DATABASE_URL=url, READER_DATABASE_URLS=f'{{"finance": "{wrong}"}}')
    assert "reader finance does not connect" in migrate().notes[0]


def test_a_reader_of_another_database_is_named(foreign, monkeypatch):
    url = foreign.url(foreign.dba, PASSWORD).set(database="postgres")
    use(monkeypatch, READER_DATABASE_URL=url.render_as_string(hide_password=False))
    reason = f'reads database "postgres", DATABASE_URL is "{foreign.database}"'
    assert f"READER_DATABASE_URL {reason}: rules and reports read that one" in migrate().notes


def test_an_explicit_reader_gets_no_grants_unless_they_are_requested(foreign, monkeypatch):
    foreign.run("create schema sales; create table sales.orders as select 11 as amount")
    use(monkeypatch, READER_DATABASE_URL=foreign.text(foreign.dba), ANALYTICS_SCHEMAS="sales")
    before = foreign.acls()
    notes = migrate().notes
    assert foreign.acls() == before
    assert [note.partition("run: ")[2] for note in notes] == [
        f'GRANT USAGE ON SCHEMA sales TO "{foreign.dba}";',
        f'GRANT SELECT ON sales.orders TO "{foreign.dba}";',
    ]
    assert migrate(grant_reader=True).notes == []
    foreign.run("create table sales.later as select 12 as amount")
    assert foreign.run("table sales.later", foreign.dba) == [(12,)]


def test_an_owner_without_create_on_the_database_is_told_what_to_request(foreign, monkeypatch):
    use(monkeypatch, DATABASE_URL=foreign.text(foreign.dba))
    with pytest.raises(MigrationError) as refused:
        migrate()
    grant = f'GRANT CREATE ON DATABASE "{foreign.database}" TO "{foreign.dba}";'
    assert str(refused.value).endswith(f"{foreign.owner} has to run: {grant}")


def test_a_schema_ops_that_a_dba_made_is_used(foreign, monkeypatch):
    use(
        monkeypatch,
        DATABASE_URL=foreign.text(foreign.dba),
        READER_DATABASE_URL=foreign.text(foreign.owner),
    )
    foreign.run("create schema ops")
    with pytest.raises(MigrationError) as refused:
        migrate()
    grant = f'GRANT USAGE, CREATE ON SCHEMA "ops" TO "{foreign.dba}";'
    assert str(refused.value).endswith(f"{foreign.owner} has to run: {grant}")
    foreign.run(grant)
    assert migrate().revision
    assert foreign.run(
        "select count(*) > 20 from pg_class where relnamespace = 'ops'::regnamespace"
    )


def test_tables_of_another_role_in_ops_are_one_line(foreign, monkeypatch):
    use(monkeypatch, READER_DATABASE_URL=foreign.text(foreign.dba))
    migrate()
    foreign.run(f'grant usage, create on schema ops to "{foreign.dba}"')
    foreign.run("update ops.alembic_version set version_num = '0013_alert_states'")
    use(
        monkeypatch,
        DATABASE_URL=foreign.text(foreign.dba),
        READER_DATABASE_URL=foreign.text(foreign.owner),
    )
    with pytest.raises(MigrationError, match=r"lacks a privilege.*nothing was changed") as refused:
        migrate()
    assert "\n" not in str(refused.value)
