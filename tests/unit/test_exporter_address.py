"""The exporter connects to where SQLAlchemy would, without asking SQLAlchemy."""

import subprocess
import sys
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_worker.database.connections import parse_url
from analytics_worker.exporter.connection_args import connection_arguments, ordinary_arguments
from analytics_worker.settings import settings

RAW = st.text(
    st.characters(codec="ascii", exclude_characters="@:/?", categories=["L", "N", "P", "S"])
)
ENCODED = st.text(max_size=8).map(lambda text: quote(text, safe=""))
HOSTS = st.sampled_from(["", "db", "db.example.com", "10.0.0.1", "[::1]"])
QUERIES = st.sampled_from(
    [
        "",
        "?sslmode=require",
        "?sslmode=require&options=-c+search_path%3Dx",
        "?host=/var/run/post%20gres",
        "?host=a:1&host=b:2",
        "?host=a,b&port=1,2",
        "?host=a:5433",
        "?application_name=",
    ]
)


def as_sqlalchemy_reads(url: str):
    parsed = parse_url(url)
    return parsed.get_dialect()().create_connect_args(parsed)[1]


@given(
    user=ENCODED | RAW,
    password=st.none() | ENCODED | RAW,
    host=HOSTS,
    port=st.sampled_from(["", ":5432", ":"]),
    database=st.sampled_from(["", "/", "/analytics", "/an%20alytics"]),
    query=QUERIES,
)
def test_an_ordinary_url_means_what_sqlalchemy_makes_of_it(
    user, password, host, port, database, query
):
    login = user + (f":{password}" if password is not None else "")
    url = f"postgresql://{login}@{host}{port}{database}{query}"
    ours = ordinary_arguments(url)
    if ours is not None:
        assert {key: str(value) for key, value in ours.items()} == {
            key: str(value) for key, value in as_sqlalchemy_reads(url).items() if value != ""
        }


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://analytics:p%40ss@db.example.com:5432/analytics",
        "postgresql+psycopg2://owner:secret@/analytics?host=%2Ftmp%2Fsocket",
        "postgres://owner@localhost/analytics?sslmode=require",
    ],
)
def test_the_usual_urls_are_ordinary(url):
    assert ordinary_arguments(url) is not None


@pytest.mark.parametrize("url", ["postgresql://u@/d?host=a:1&host=b:2", "postgresql://u@[::1]/d"])
def test_other_urls_are_left_to_sqlalchemy(url, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", url)
    settings.cache_clear()
    assert ordinary_arguments(url) is None
    assert connection_arguments() == as_sqlalchemy_reads(url)


def test_the_exporter_does_without_what_is_heavy():
    heavy = (
        "sqlalchemy",
        "prefect_sqlalchemy",
        "pybreaker",
        "redis",
        "prefect.flows",
        "prefect.main",
    )
    code = f"import sys, analytics_worker.exporter.app; print([name for name in {heavy} if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
