"""Variables of Prefect for the processes of the stack."""

import pytest

from analytics_worker.settings import settings
from analytics_worker.stack.environment import environment


@pytest.mark.parametrize("given", ["", "/elsewhere"])
def test_an_empty_variable_is_one_that_is_not_set(given, monkeypatch):
    monkeypatch.setenv("PREFECT_HOME", given)
    chosen = environment(4200, "marker", None)
    assert chosen["PREFECT_HOME"] == (given or str(settings().state_dir / "prefect"))


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("postgres://a@b/c", "postgresql+asyncpg://a@b/c"),
        ("postgresql://a@b/c", "postgresql+asyncpg://a@b/c"),
        ("postgresql+psycopg2://a@b/c", "postgresql+asyncpg://a@b/c"),
        ("postgresql://a@b/c?sslmode=require", "postgresql+asyncpg://a@b/c?ssl=require"),
        ("sqlite:////data/prefect.db", "sqlite+aiosqlite:////data/prefect.db"),
    ],
)
def test_the_server_gets_the_driver_that_it_can_use(
    monkeypatch: pytest.MonkeyPatch, given: str, used: str
):
    name = "PREFECT_SERVER_DATABASE_CONNECTION_URL"
    monkeypatch.setenv(name, given)
    assert environment(4200, "marker", None)[name] == used
