"""The exporter connects to where everything else does, without asking SQLAlchemy."""

import subprocess
import sys

import pytest

from analytics_worker.database.urls import parameters_of, parse_url
from analytics_worker.exporter.connection_args import connection_arguments
from analytics_worker.settings import settings


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://analytics:p%40ss@db.example.com:5432/analytics",
        "postgresql+psycopg2://owner:secret@/analytics?host=%2Ftmp%2Fsocket",
        "postgres://owner@localhost/analytics?sslmode=require",
        "postgresql://u@/d?host=a:1&host=b:2",
        "postgresql://u@[::1]/d",
        "postgresql://u@a:1,b:2/d%20e?service=x&passfile=%2Fp",
    ],
)
def test_it_connects_to_the_same_database(url, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", url)
    settings.cache_clear()
    assert connection_arguments() == parameters_of(parse_url(url))


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
