"""A URL means what psql makes of it, in every place that it goes to; what can't be read names the fix."""

import json
import os
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg2.extensions import parse_dsn
from sqlalchemy import make_url

from analytics_worker.cli.env import _database
from analytics_worker.database.connections import reader_url
from analytics_worker.database.libpq_environment import dbt_variables, extra_parameters
from analytics_worker.database.libpq_url import (
    DatabaseUrlError,
    address,
    connection_problem,
    libpq_parameters,
)
from analytics_worker.database.urls import parameters_of, parse_url
from analytics_worker.settings import settings
from analytics_worker.stack.own_database import forget_own_database
from analytics_worker.stack.postgres.server import EmbeddedPostgres
from blocks.warehouse import block
from flows.dbt._process_main import with_parameters

NAMES = st.text("aé@:/?#% \"'+&=[]", min_size=1, max_size=6)
ENCODED = NAMES.map(lambda text: quote(text, safe=""))
HOSTS = [
    "db",
    "10.0.0.1:5433",
    "[::1]:5432",
    "a,b",
    "a:1,b:2",
    "a:1,b",
    "%2Ftmp%2Fa%20socket",
    "",
]
QUERIES = [
    "",
    "?sslmode=require&sslrootcert=%2Fetc%2Fca.pem&channel_binding=prefer",
    "?options=-c%20search_path%3Dx&target_session_attrs=any",
    "?service=prod&passfile=%2Fhome%2Fme%2F.pgpass",
    "?host=/var/run/postgresql&port=5433",
    "?user=someone&password=p%40&dbname=d",
]


@given(ENCODED, ENCODED, st.sampled_from(HOSTS), ENCODED, st.sampled_from(QUERIES))
def test_a_url_means_what_psql_makes_of_it(user, password, hosts, database, query):
    url = f"postgresql://{user}:{password}@{hosts}/{database}{query}"
    expected = {name: value for name, value in parse_dsn(url).items() if value.strip(",")}
    assert libpq_parameters(url) == expected
    parsed = parse_url(url)
    single_ports = {**expected, "port": ",".join(libpq_ports(expected))}
    assert parameters_of(parsed) == {name: value for name, value in single_ports.items() if value}
    assert parse_url(parsed) == parsed


def libpq_ports(parameters):
    hosts, ports = (parameters.get(name, "").split(",") for name in ("host", "port"))
    return ports * len(hosts) if len(ports) == 1 and ports[0] else ports


@pytest.mark.parametrize("character", "@/?#%")
def test_a_password_that_is_not_encoded_is_refused_with_the_way_to_write_it(character):
    for password in (f"cana{character}ry", f"cana{character}ry%41", f"1{character}x=canary"):
        url = f"postgresql://me:{password}@db.example:5432/sales"
        with pytest.raises(DatabaseUrlError) as refused:
            parse_url(url, "READER_DATABASE_URL")
        encoded = quote(character, safe="")
        example = f"like this: postgresql://user:pass{encoded}word@host:5432/database"
        assert example in str(refused.value)
        assert f"{character} as {encoded}" in str(refused.value)
        assert str(refused.value).startswith("READER_DATABASE_URL is not a valid URL")
        assert "cana" not in str(refused.value)
        encoded_url = f"postgresql://me:{quote(password, safe='')}@db.example:5432/sales"
        assert parse_url(encoded_url).password == password


def test_a_colon_needs_no_encoding():
    assert parse_url("postgresql://me:a:b:@h/d").password == "a:b:"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:canary@h:port/d",
        "postgresql://me:canary@h:1:2/d",
        "postgresql://me:canary@h:70000/d",
        "postgresql://me:canary@h/d?can ary=1",
        "postgresql:me:canary@h/d",
    ],
)
def test_an_invalid_url_is_refused_without_quoting_it(url):
    with pytest.raises(DatabaseUrlError, match="DATABASE_URL is not a valid URL") as refused:
        parse_url(url)
    assert "canary" not in str(refused.value)


def test_a_parameter_that_libpq_does_not_know_is_named():
    with pytest.raises(DatabaseUrlError, match="the parameter 'sslmod', which libpq does not know"):
        parse_url("postgresql://me@h/d?sslmod=require")


def test_sqlalchemys_spelling_of_several_hosts_and_of_spaces_still_works():
    spelled = libpq_parameters("postgresql+psycopg2://u@/d?host=a:1&host=b&options=-c+geqo%3Doff")
    assert spelled == libpq_parameters("postgresql://u@a:1,b/d?options=-c%20geqo%3Doff")


def test_the_reader_is_never_the_owner_that_the_query_names(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql:///d?user=owner&password=secret")
    settings.cache_clear()
    parameters = parameters_of(reader_url())
    assert parameters["user"] != "owner"
    assert parameters["password"] != "secret"


URL = "postgresql://me:p%40@a:1,b:2/a%20b?sslrootcert=%2Fca&target_session_attrs=any&options=-cgeqo%3Doff"


def test_psql_gets_every_parameter():
    variables = _database(URL, URL)
    assert variables["PGHOST"] == "a,b"
    assert variables["PGPORT"] == "1,2"
    assert variables["PGDATABASE"] == "a b"
    assert variables["PGPASSWORD"] == "p@"
    assert variables["PGSSLROOTCERT"] == "/ca"
    assert variables["PGTARGETSESSIONATTRS"] == "any"
    assert variables["PGOPTIONS"] == "-cgeqo=off"


def test_dbt_gets_every_parameter(monkeypatch):
    parameters = libpq_parameters(URL)
    variables = dbt_variables(parameters, "DBT_ENV_SECRET_PASSWORD") | extra_parameters(parameters)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    asked = {"host": "a,b", "user": "me", "dbname": "a b", "port": 1, "options": "-c search_path=x"}
    assert with_parameters(asked) == {
        **asked,
        "host": "a,b",
        "port": "1,2",
        "sslrootcert": "/ca",
        "target_session_attrs": "any",
        "options": "-cgeqo=off -c search_path=x",
    }
    elsewhere = asked | {"host": "elsewhere"}
    assert with_parameters(elsewhere) == elsewhere
    assert "p@" not in json.dumps(extra_parameters(parameters))


def test_dbt_gets_what_a_service_stands_for(tmp_path, monkeypatch):
    file = tmp_path / "services"
    file.write_text(
        "[other]\nhost=no\n# a comment\n[prod]\nhost=db.example\nport=6432\ndbname=sales\n"
    )
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    variables = dbt_variables(libpq_parameters("postgresql://me@/?service=prod"), "SECRET")
    assert variables["DBT_HOST"] == "db.example"
    assert variables["DBT_PORT"] == "6432"
    assert variables["DBT_DBNAME"] == "sales"
    assert variables["DBT_USER"] == "me"
    assert address(libpq_parameters("postgresql:///?service=prod")) == "service prod"


def test_every_host_is_named_with_its_reason():
    two = 'connection to server at "a", port 1 failed: refused\n\tIs it running?\nconnection to server at "b" failed: no\n'
    assert connection_problem(two) == (
        'connection to server at "a", port 1 failed: refused; connection to server at "b" failed: no'
    )
    assert connection_problem('connection to server at "a", port 1 failed: refused\n') == "refused"


def test_dbt_gets_the_hosts_of_one_port(capsys):
    variables = _database("postgresql://me@a:6432,b:6433,c:6432/sales")
    assert (variables["DBT_HOST"], variables["DBT_PORT"]) == ("a,c", "6432")
    assert (variables["PGHOST"], variables["PGPORT"]) == ("a,b,c", "6432,6433,6432")
    assert capsys.readouterr().err.startswith("DBT_HOST is a,c: dbt takes one port")
    assert _database("postgresql://me@a,b:5432/sales")["DBT_HOST"] == "a,b"


def test_the_own_database_of_a_shell_with_its_variables_is_recognized(tmp_path, monkeypatch):
    (tmp_path / "postgres").mkdir()
    own = EmbeddedPostgres(tmp_path / "postgres").url
    monkeypatch.setattr(os, "environ", {**_database(own), "PGHOST": "theirs"})
    forget_own_database(tmp_path / "other")
    assert os.environ["DATABASE_URL"] == own
    forget_own_database(tmp_path)
    assert not {"DATABASE_URL", "PGUSER", "PGDATABASE"} & {*os.environ}
    assert os.environ["PGHOST"] == "theirs"


def test_the_block_has_every_parameter():
    url = parse_url(URL)
    rendered = block(url, with_password=True)._rendered_url
    assert parse_url(rendered) == url
    assert parse_url(make_url(url.render_as_string(hide_password=False))) == url
