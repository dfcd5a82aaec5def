"""`analytics-worker doctor` names each privilege that the reader should not have, and how it is revoked."""

import pytest
from sqlalchemy import text

from analytics_worker.database.connections import READER_ROLE, direct_connection, warehouse_url
from analytics_worker.doctor import Finding, database, reader_role, runner
from analytics_worker.settings import settings
from tests.support.attacks import attack
from tests.support.doctor_findings import problems
from tests.support.ports import free_port
from tests.support.postgres import administer
from tests.support.sql import query

pytestmark = pytest.mark.usefixtures("environment")


def execute(statement: str) -> None:
    with direct_connection(warehouse_url()) as connection:
        connection.execute(text(statement))


def test_a_reader_that_can_only_select_does_not_fail():
    execute("create table raw.orders (id int)")
    (problem,) = problems(reader_role.reader()).items()
    assert (problem[0], problem[1].level) == ("reader can do more than SELECT", "warn")


@pytest.mark.parametrize(
    ("grant", "message"),
    [
        ("grant insert on raw.orders to {role}", "it may write to raw.orders"),
        ("grant truncate on raw.orders to {role}", "it may write to raw.orders"),
        ("grant create on schema analytics to {role}", "it may create in analytics"),
        ("grant select on ops.alert_rules to {role}", "it may read ops.alert_rules"),
    ],
)
def test_a_reader_that_can_do_more_fails(grant: str, message: str):
    execute(f"create table raw.orders (id int); {grant.format(role=READER_ROLE)}")
    finding = problems(reader_role.reader())["reader can't write"]
    assert (finding.level, finding.message) == ("fail", message)


def test_a_relation_that_the_reader_can_not_read_is_named():
    execute(f"create table raw.orders (id int); revoke select on raw.orders from {READER_ROLE}")
    assert "1 relation can't be read" in problems(reader_role.reader())["reader can read"].message


def test_a_privileged_reader_fails(postgres):
    administer(postgres, "alter role {role} createdb", role=READER_ROLE)
    try:
        assert (
            "may create roles or databases"
            in problems(reader_role.reader())["reader can't write"].message
        )
    finally:
        administer(postgres, "alter role {role} nocreatedb", role=READER_ROLE)


@attack(
    by="author",
    what="What an administrator gave the reader by mistake: membership, BYPASSRLS, tables of its own",
    answer="doctor fails and names the statement that revokes it",
)
def test_each_privilege_of_the_reader_is_named_with_the_statement_that_revokes_it(postgres):
    execute("create table raw.orders (id int)")
    grants = ["grant pg_signal_backend to {role}", "alter role {role} bypassrls"]
    try:
        for statement in grants:
            administer(postgres, statement, role=READER_ROLE)
        assert [f.fix for f in reader_role.reader() if f.level == "fail"] == [
            f"revoke pg_signal_backend from {READER_ROLE};",
            f"alter role {READER_ROLE} nobypassrls;",
        ]
    finally:
        administer(postgres, "revoke pg_signal_backend from {role}", role=READER_ROLE)
        administer(postgres, "alter role {role} nobypassrls", role=READER_ROLE)


def test_the_embedded_database_leaves_the_reader_nothing_but_select(postgres):
    database = warehouse_url().database
    assert query("select has_database_privilege('public', 'analytics', 'temporary')") == [False]
    execute(f"revoke temporary on database {database} from public")  # which no copy takes over
    assert problems(reader_role.reader()) == {}
    functions = "pg_terminate_backend, lo_create"
    administer(postgres, f"grant execute on function {functions} to public", database=database)
    execute(f"grant temporary on database {database} to public")
    fixes = "; ".join(finding.fix for finding in reader_role.reader() if finding.level == "warn")
    assert "revoke execute on function" in fixes
    assert "lo_create(oid), pg_terminate_backend(integer,bigint)" in fixes
    assert f"revoke temporary on database {database} from public" in fixes


def reader_finding(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Finding:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    return problems(reader_role.readers())["reader"]


def test_a_missing_role_of_the_readers_is_created_by_migrate(monkeypatch: pytest.MonkeyPatch):
    found = reader_finding(monkeypatch, READER_ROLE="analytics_reader_of_nobody")
    assert found.fix == "`analytics-worker migrate` creates the role, or sets its password."
    assert found.message.count("analytics_reader_of_nobody") == 1


def test_the_reader_of_the_user_is_corrected_in_its_variable(monkeypatch: pytest.MonkeyPatch):
    url = warehouse_url().set(username="nobody_of_ours").render_as_string(hide_password=False)
    found = reader_finding(monkeypatch, READER_DATABASE_URL=url)
    assert found.fix == "Correct READER_DATABASE_URL."


def of_database() -> dict[str, Finding]:
    return problems(runner._run_group("database", runner._database))


def test_a_wrong_database_url_is_corrected_and_not_started(monkeypatch: pytest.MonkeyPatch):
    url = warehouse_url().set(username="nobody_of_ours").render_as_string(hide_password=False)
    monkeypatch.setenv("DATABASE_URL", url)
    settings.cache_clear()
    found = of_database()["can't be checked"]
    assert found.fix == "Correct DATABASE_URL."
    assert found.message.count("nobody_of_ours") == 1
    sessions = problems(database.sessions())["sessions"]
    assert (sessions.message, sessions.fix) == (found.message, found.fix)


def test_a_database_that_does_not_answer_is_started(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATABASE_URL", f"postgresql://a@127.0.0.1:{free_port()}/shop")
    settings.cache_clear()
    assert of_database()["can't be checked"].fix == "Start it, or correct DATABASE_URL."


def test_without_a_database_the_stack_brings_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("DATABASE_URL")
    settings.cache_clear()
    assert of_database()["can't be checked"].fix == "`make up`, or set DATABASE_URL."
