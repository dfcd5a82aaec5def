"""Run all checks in the order of the output; a check that fails with an error becomes a finding.

Reads what the checks read; writes nothing.
"""

from collections.abc import Callable, Iterator

from httpx import HTTPError, HTTPStatusError
from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import PrefectHTTPStatusError
from sqlalchemy.exc import SQLAlchemyError

from analytics_worker.database.connections import direct_connection, warehouse_url
from analytics_worker.database.libpq_url import address
from analytics_worker.database.schema_coverage import coverage_notes
from analytics_worker.database.urls import parameters_of
from analytics_worker.doctor import (
    access,
    database,
    host,
    jobs,
    prefect_database,
    reader_role,
    redis,
    server,
    versions,
)
from analytics_worker.doctor.database_problems import problem, warehouse_fix
from analytics_worker.doctor.findings import Finding
from analytics_worker.errors import PermanentError, chain
from analytics_worker.prefect_support.api_client import api_client, refusal
from analytics_worker.prefect_support.api_problems import api_problem
from analytics_worker.prefect_support.connection_causes import connection_cause
from analytics_worker.prefect_support.stack_access import api_name

CheckGroup = Callable[[], Iterator[Finding]]
UNCHECKED = "can't be checked"
DEFAULT_FIX = "`make up`, or correct DATABASE_URL and PREFECT_API_URL."
FIXES = {
    "prefect api": "`make up`, or correct PREFECT_API_URL.",
    "redis": "Correct REDIS_URL; until then the worker does not start.",
}
WAREHOUSE_AREAS = frozenset({"database", "permissions"})
EXPECTED_ERRORS = (SQLAlchemyError, PermanentError, HTTPError, PrefectHTTPStatusError, OSError)


def run_checks() -> Iterator[Finding]:
    """Yield the findings of all checks."""
    yield from _run_group("versions", versions.packages)
    yield from _run_group("versions", versions.dbt)
    yield from _run_group("settings", host.variables)
    yield from _run_group("settings", host.env_file)
    yield from _run_group("settings", jobs.overrides)
    yield from _run_group("settings", jobs.code_folders)
    yield from _run_group("settings", jobs.traces)
    yield from _run_group("ports", host.ports)
    yield from _run_group("disk", host.disk)
    yield from _run_group("database", _database)
    yield from _run_group("database", database.sessions)
    yield from _run_group("permissions", reader_role.readers)
    yield from _run_group("redis", redis.breaker_store)
    yield from _run_group("prefect's database", prefect_database.sizes)
    yield from _run_group("prefect api", _server)


def _database() -> Iterator[Finding]:
    with direct_connection(warehouse_url()) as connection:
        where = address(parameters_of(warehouse_url()))
        yield Finding("database", "analytics database", "ok", where)
        for check in (
            database.primary,
            versions.tables,
            database.clock,
            database.sizes,
            database.owners,
        ):
            yield from check(connection)
        for note in coverage_notes(connection):
            yield Finding("database", "analytics schemas", "warn", note, "Set ANALYTICS_SCHEMAS.")


def _server() -> Iterator[Finding]:
    checks: tuple[Callable[[SyncPrefectClient], Iterator[Finding]], ...] = (
        versions.server,
        versions.deployments,
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
    with api_client() as client:
        for check in checks:
            yield from check(client)


def _run_group(area: str, group: CheckGroup) -> Iterator[Finding]:
    try:
        yield from group()
    except EXPECTED_ERRORS as error:
        yield _unchecked(area, error)


def _unchecked(area: str, error: BaseException) -> Finding:
    """Return the finding for a group that can't be checked, with the fix that the error names."""
    refused = next(filter(None, map(refusal, chain(error))), None)
    if refused:
        fix = refused.fix or "The server's answer says what it expects."
        return Finding(area, UNCHECKED, "fail", refused.problem, fix)
    if isinstance(error, HTTPStatusError):
        fix = "The log of the server says why."
        return Finding(area, UNCHECKED, "fail", api_problem(error), fix)
    if isinstance(error, HTTPError):
        cause = connection_cause(error)
        fix = f"{cause.fix[0].upper()}{cause.fix[1:]}."
        return Finding(area, UNCHECKED, "fail", f"{api_name()} ({cause.reason})", fix)
    fix = warehouse_fix(error) if area in WAREHOUSE_AREAS else FIXES.get(area, DEFAULT_FIX)
    return Finding(area, UNCHECKED, "fail", problem(error), fix)
