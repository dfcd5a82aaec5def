"""All checks in the order in which people read them; one that can't be made is a finding, too.

Reads what its parts read; writes nothing.
"""

from collections.abc import Callable, Iterator

from httpx import HTTPError
from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import PrefectHTTPStatusError
from sqlalchemy.exc import SQLAlchemyError

from analytics_worker.database.connections import direct, warehouse_url
from analytics_worker.doctor import (
    access,
    database,
    host,
    jobs,
    prefect_database,
    readers,
    server,
    versions,
)
from analytics_worker.doctor.findings import Finding
from analytics_worker.errors import PermanentError
from analytics_worker.prefect_support.api_client import refusal
from analytics_worker.text import one_line

Part = Callable[[], Iterator[Finding]]
NOT_EXAMINED = "can't be looked at"
FIX = "`make up`, or correct DATABASE_URL and PREFECT_API_URL."
FIXES = {
    "database": "`make up`, or correct DATABASE_URL.",
    "permissions": "`make up`, or correct DATABASE_URL.",
    "prefect api": "`make up`, or correct PREFECT_API_URL.",
}
EXPECTED = (SQLAlchemyError, PermanentError, HTTPError, PrefectHTTPStatusError, OSError)


def run_checks() -> Iterator[Finding]:
    """Every finding."""
    yield from _safely("versions", versions.packages)
    yield from _safely("settings", host.variables)
    yield from _safely("settings", jobs.overrides)
    yield from _safely("settings", jobs.code_folders)
    yield from _safely("ports", host.ports)
    yield from _safely("disk", host.disk)
    yield from _safely("database", _database)
    yield from _safely("permissions", readers.readers)
    yield from _safely("prefect's database", prefect_database.sizes)
    yield from _safely("prefect api", _server)


def _database() -> Iterator[Finding]:
    with direct(warehouse_url()) as connection:
        url = warehouse_url()
        where = f"{url.host or url.query.get('host') or 'localhost'}, database {url.database}"
        yield Finding("database", "analytics database", "ok", where)
        for look in (versions.tables, database.clock, database.sizes):
            yield from look(connection)


def _server() -> Iterator[Finding]:
    looks: tuple[Callable[[SyncPrefectClient], Iterator[Finding]], ...] = (
        versions.server,
        access.login,
        access.encryption,
        access.csrf,
        access.web_pages,
        server.clock,
        server.workers,
        server.schedules,
        server.retention,
        server.recovery,
    )
    with get_client(sync_client=True) as client:
        for look in looks:
            yield from look(client)


def _safely(area: str, part: Part) -> Iterator[Finding]:
    try:
        yield from part()
    except EXPECTED as error:
        yield _unexamined(area, error)


def _unexamined(area: str, error: BaseException) -> Finding:
    """A part that can't be looked at; the fix is the one that the error names."""
    refused = refusal(error)
    if refused:
        fix = refused.fix or "The server's answer says what it expects."
        return Finding(area, NOT_EXAMINED, "fail", refused.problem, fix)
    reason = getattr(error, "orig", None) or error
    message = one_line(str(reason) or type(error).__name__)
    return Finding(area, NOT_EXAMINED, "fail", message, FIXES.get(area, FIX))
