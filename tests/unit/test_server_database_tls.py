"""The parameters of libpq in the URL of the Prefect server's database reach its connections."""

from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from analytics_worker.stack.errors import StackError
from analytics_worker.stack.prefect_database_tls import (
    CHECK_HOSTNAME,
    ENABLED,
    SETTINGS,
    libpq_parameters,
    server_variables,
)
from analytics_worker.stack.server_database import server_parameters

NAME = "PREFECT_SERVER_DATABASE_CONNECTION_URL"
URL = "postgresql+asyncpg://prefect:s%40cret@db.example:5432/prefect"


@pytest.fixture
def authority(tmp_path: Path) -> str:
    file = tmp_path / "own ca.pem"
    file.touch()
    return str(file)


def test_a_url_without_parameters_stays_as_it_is():
    assert server_variables(NAME, URL) == {}
    assert server_variables(NAME, f"{URL}?ssl=require") == {}
    assert server_variables(NAME, "sqlite+aiosqlite:////data/prefect.db") == {}


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "require"])
def test_a_mode_that_verifies_nothing_is_asyncpgs(mode: str):
    assert server_variables(NAME, f"{URL}?sslmode={mode}") == {NAME: f"{URL}?ssl={mode}"}


@pytest.mark.parametrize(
    ("mode", "checked"), [("verify-full", "true"), ("verify-ca", "false"), ("require", "false")]
)
def test_an_authority_is_verified(mode: str, checked: str, authority: str):
    found = server_variables(NAME, f"{URL}?sslmode={mode}&sslrootcert={authority}")
    expected = {NAME: URL, ENABLED: "true", CHECK_HOSTNAME: checked}
    assert found == expected | {f"{SETTINGS}CA_FILE": authority}


def test_the_authorities_of_the_host_need_no_file():
    found = server_variables(NAME, f"{URL}?sslmode=verify-full&sslrootcert=system")
    assert found == {NAME: URL, ENABLED: "true", CHECK_HOSTNAME: "true"}


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("sslmode=verify_full", "'verify_full'"),
        ("sslmode=verify-full&sslrootcert=/no/ca", "/no/ca"),
    ],
)
def test_what_cannot_work_is_refused_before_the_server_starts(query: str, named: str):
    with pytest.raises(StackError, match=named) as refusal:
        server_variables(NAME, f"{URL}?{query}")
    assert "cret" not in str(refusal.value)


@pytest.mark.parametrize("mode", ["verify-full", "verify-ca"])
def test_doctor_and_backup_verify_what_the_server_verifies(mode: str, authority: str):
    given = {"sslmode": mode, "sslrootcert": authority}
    url = make_url(URL).update_query_dict(given)
    variables = server_variables(NAME, url.render_as_string(hide_password=False))
    assert libpq_parameters(url, {}) == given
    assert libpq_parameters(make_url(variables[NAME]), variables) == given


def test_doctor_and_backup_know_asyncpgs_parameter():
    assert libpq_parameters(make_url(f"{URL}?ssl=require"), {}) == {"sslmode": "require"}
    assert libpq_parameters(make_url(URL), {}) == {}


def test_a_database_in_parts_is_the_same_one_for_libpq():
    parts = {"HOST": "db.example", "PORT": "5433", "USER": "prefect", "PASSWORD": "s@", "NAME": "p"}
    given = {f"PREFECT_SERVER_DATABASE_{part}": value for part, value in parts.items()}
    variable, parameters = server_parameters(given | {ENABLED: "true"})
    assert variable == "PREFECT_SERVER_DATABASE_HOST"
    assert parameters == {
        "host": "db.example",
        "port": "5433",
        "user": "prefect",
        "password": "s@",
        "dbname": "p",
        "sslmode": "verify-full",
        "sslrootcert": "system",
    }


def test_what_only_asyncpg_knows_is_not_for_libpq(authority: str):
    query = f"prepared_statement_cache_size=0&sslmode=verify-ca&sslrootcert={authority}"
    assert server_parameters({NAME: f"{URL}?{query}"}) == (
        NAME,
        {
            "host": "db.example",
            "port": "5432",
            "user": "prefect",
            "password": "s@cret",
            "dbname": "prefect",
            "sslmode": "verify-ca",
            "sslrootcert": authority,
        },
    )
