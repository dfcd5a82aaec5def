"""A real PostgreSQL with TLS and a CA of its own: each consumer verifies it, and none falls back to less.

The server takes connections without TLS, too: a consumer that loses a parameter would connect.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from sqlalchemy import text

from analytics_worker.database import connections
from analytics_worker.database.connections import direct_connection, parse_url
from analytics_worker.database.pooler import pooled_variables
from analytics_worker.doctor import runner
from analytics_worker.migrations import upgrade
from analytics_worker.settings import settings
from tests.support import consumers
from tests.support.certificates import Certificate, make_certificate
from tests.support.contrib_postgres import MISSING, USER, ContribPostgres, installed
from tests.support.ports import free_port

ENCRYPTED = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"


class Tls(NamedTuple):
    """URLs of one server: with its CA, and with another one."""

    right: str
    wrong: str


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory, certificate: Certificate) -> Iterator[Tls]:
    if installed() is None:
        pytest.skip(MISSING)
    folder, port = tmp_path_factory.mktemp("tls"), free_port()
    other = make_certificate(tmp_path_factory.mktemp("other"))
    with ContribPostgres(folder / "pg", durable=False, **certificate.postgres_settings(port)):
        url = f"postgresql://{USER}@127.0.0.1:{port}/{USER}?sslmode=verify-full&sslrootcert="
        upgrade(f"{url}{certificate.path}", sample=True)
        yield Tls(f"{url}{certificate.path}", f"{url}{other.path}")


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    def set_url(url: str) -> None:
        monkeypatch.setenv("DATABASE_URL", url)
        settings.cache_clear()
        connections.dispose()

    yield set_url
    connections.dispose()


def encrypted(consumer: Callable[[str], str]) -> Callable[[], bool]:
    """Return a consumer as a check of its connection."""

    def check() -> bool:
        return consumer(ENCRYPTED).lower()[:1] == "t"

    check.__name__ = consumer.__name__
    return check


def pooler_check() -> bool:
    return not list(pooled_variables())


def doctor() -> bool:
    (first, *_) = runner._run_group("database", runner._database)
    if first.level != "ok":
        raise ConnectionError(first.message)
    return True


CHECKS = [*map(encrypted, consumers.CONSUMERS), pooler_check, doctor]


@pytest.mark.parametrize("consumer", CHECKS, ids=lambda each: each.__name__)
def test_each_consumer_verifies_the_server(
    tls: Tls, use: Callable[[str], None], consumer: Callable[[], bool]
):
    use(tls.right)
    assert consumer()
    use(tls.wrong)
    with pytest.raises(Exception, match="certificate verify failed"):
        consumer()


def test_a_consumer_that_loses_a_parameter_would_connect(tls: Tls):
    """The test above can fail."""
    url = parse_url(tls.wrong)
    with direct_connection(url.set(query={"sslmode": "prefer"})) as connection:
        assert connection.scalar(text("select 1")) == 1
