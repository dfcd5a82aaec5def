"""Run all checks in the order of the output; a check that fails with an error becomes a finding.

Reads what the checks read; writes nothing.
"""

from collections.abc import Callable, Iterator

from httpx import HTTPError
from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import PrefectHTTPStatusError
from sqlalchemy.exc import SQLAlchemyError

from analytics_worker.database.connections import direct_connection, warehouse_url
from analytics_worker.doctor import (
    access,
    database,
    host,
    prefect_database,
    readers,
    server,
    versions,
)
from analytics_worker.doctor.findings import Finding
from analytics_worker.errors import PermanentError
from analytics_worker.prefect_support.api_client import refusal_message
from analytics_worker.text import one_line

CheckGroup = Callable[[], Iterator[Finding]]
EXPECTED_ERRORS = (SQLAlchemyError, PermanentError, HTTPError, PrefectHTTPStatusError, OSError)


def run_checks() -> Iterator[Finding]:
    """Yield the findings of all checks."""
    yield from _run_group("versions", versions.packages)
    yield from _run_group("settings", host.variables)
    yield from _run_group("ports", host.ports)
    yield from _run_group("disk", host.disk)
    yield from _run_group("database", _database)
    yield from _run_group("permissions", readers.readers)
    yield from _run_group("prefect's database", prefect_database.sizes)
    yield from _run_group("prefect api", _server)


def _database() -> Iterator[Finding]:
    with direct_connection(warehouse_url()) as connection:
        url = warehouse_url()
        address = f"{url.host or url.query.get('host') or 'localhost'}, database {url.database}"
        yield Finding("database", "analytics database", "ok", address)
        for check in (versions.tables, database.clock, database.sizes):
            yield from check(connection)


def _server() -> Iterator[Finding]:
    checks: tuple[Callable[[SyncPrefectClient], Iterator[Finding]], ...] = (
        versions.server,
        access.login,
        access.csrf,
        access.web_pages,
        server.clock,
        server.workers,
        server.schedules,
        server.retention,
        server.recovery,
    )
    with get_client(sync_client=True) as client:
        for check in checks:
            yield from check(client)


def _run_group(area: str, group: CheckGroup) -> Iterator[Finding]:
    try:
        yield from group()
    except EXPECTED_ERRORS as error:
        reason = getattr(error, "orig", None) or error
        message = refusal_message(error) or one_line(str(reason) or type(error).__name__)
        fix = "`make up`, or correct DATABASE_URL and PREFECT_API_URL."
        yield Finding(area, "can't be checked", "fail", message, fix)
