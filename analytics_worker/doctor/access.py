"""Check who can use the Prefect API: without a login, any caller runs commands as the worker's user.

Reads the server's settings through its API, and the accounts of this host; writes nothing.
"""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import PrefectHTTPStatusError

from analytics_worker.doctor.findings import Finding, graded
from analytics_worker.host_port import LOOPBACK, PROBE_HOST
from analytics_worker.stack.accounts import other_accounts
from analytics_worker.stack.login import UNENCRYPTED

AREA = "access"
COMMANDS_WARNING = (
    "no login: anyone who reaches the API runs commands as the worker's user (SECURITY.md)"
)


def login(client: SyncPrefectClient) -> Iterator[Finding]:
    """Check that the server requires a login if other hosts or accounts can reach it."""
    api = _server_api(client)
    if api["auth_string"]:
        yield Finding(AREA, "login", "ok", "the server requires a login")
        return
    is_exposed, others = api["host"] not in LOOPBACK, other_accounts()
    is_remote = client.api_url.host not in LOOPBACK
    callers = "other hosts" if is_exposed or is_remote else ", ".join(others) or "this account only"
    fix = "Unset SERVER_LOGIN and start `make up` again, or set PREFECT_SERVER_API_AUTH_STRING."
    message = f"{COMMANDS_WARNING}; reachable by {callers}"
    yield graded(AREA, "login", message, warn=is_remote or bool(others), fail=is_exposed, fix=fix)


def encryption(client: SyncPrefectClient) -> Iterator[Finding]:
    """Check whether connections between hosts are encrypted, as far as this host can see."""
    host, remote = _server_api(client)["host"], client.api_url.host not in LOOPBACK
    exposed = host not in LOOPBACK or (remote and client.api_url.scheme == "http")
    message = f"the server listens on {host}. {UNENCRYPTED}" if exposed else "not needed, or TLS"
    fix = "Put a TLS proxy in front (docs/calling.md), or listen on 127.0.0.1."
    yield graded(AREA, "encryption", message, warn=exposed, fix=fix)


def csrf(client: SyncPrefectClient) -> Iterator[Finding]:
    """Check that write requests need a CSRF token, which other web pages can't read."""
    is_on = bool(_server_api(client)["csrf_protection_enabled"])
    fix = "Start the server with PREFECT_SERVER_CSRF_PROTECTION_ENABLED=true."
    yield graded(AREA, "CSRF protection", "on" if is_on else "off", warn=not is_on, fix=fix)


def web_pages(client: SyncPrefectClient) -> Iterator[Finding]:
    """Check that the server refuses foreign host names, as `analytics_worker.server` does."""
    try:
        client.request("GET", "/health", headers={"Host": PROBE_HOST})
        refused = False
    except PrefectHTTPStatusError as error:
        refused = error.response.status_code == HTTPStatus.MISDIRECTED_REQUEST
    message = "refused" if refused else "any web page that a user visits can call the API"
    fix = "Start the server with `make up` or `python -m analytics_worker.server PORT`."
    yield graded(AREA, "requests of web pages", message, warn=not refused, fix=fix)


def _server_api(client: SyncPrefectClient) -> dict[str, Any]:
    response: dict[str, Any] = client.request("GET", "/admin/settings").json()
    return response["server"]["api"]
