"""Who can use the Prefect API: whoever reaches it without a login runs commands as the worker's user.

Reads the server's own settings through its API, and this machine's accounts; writes nothing.
"""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import PrefectHTTPStatusError

from analytics_worker.authority import LOOPBACK
from analytics_worker.doctor.findings import Finding, judged
from analytics_worker.stack.accounts import other_accounts
from analytics_worker.stack.login import UNENCRYPTED

AREA = "access"
FOREIGN = {"Host": "web-page.invalid"}
RUNS_COMMANDS = "no login: whoever reaches the API without a login runs commands as the worker's user (SECURITY.md)"


def login(client: SyncPrefectClient) -> Iterator[Finding]:
    """The server asks for a login where anybody else can reach it."""
    api = _server_api(client)
    if api["auth_string"]:
        yield Finding(AREA, "login", "ok", "the server asks for a login")
        return
    beyond, others = api["host"] not in LOOPBACK, other_accounts()
    remote = client.api_url.host not in LOOPBACK
    who = "other hosts" if beyond or remote else ", ".join(others) or "this account only"
    fix = "Unset SERVER_LOGIN and start `make up` again, or set PREFECT_SERVER_API_AUTH_STRING."
    message = f"{RUNS_COMMANDS}; it is reached by {who}"
    yield judged(AREA, "login", message, warn=remote or bool(others), fail=beyond, fix=fix)


def encryption(client: SyncPrefectClient) -> Iterator[Finding]:
    """Nothing travels unencrypted between hosts, as far as this one can see."""
    host, remote = _server_api(client)["host"], client.api_url.host not in LOOPBACK
    exposed = host not in LOOPBACK or (remote and client.api_url.scheme == "http")
    message = f"the server listens on {host}. {UNENCRYPTED}" if exposed else "not needed, or TLS"
    fix = "Put a TLS proxy in front (docs/calling.md), or listen on 127.0.0.1."
    yield judged(AREA, "encryption", message, warn=exposed, fix=fix)


def csrf(client: SyncPrefectClient) -> Iterator[Finding]:
    """Writing takes a token that web pages of others can't read."""
    on = bool(_server_api(client)["csrf_protection_enabled"])
    fix = "Start the server with PREFECT_SERVER_CSRF_PROTECTION_ENABLED=true."
    yield judged(AREA, "CSRF protection", "on" if on else "off", warn=not on, fix=fix)


def web_pages(client: SyncPrefectClient) -> Iterator[Finding]:
    """The server refuses requests under a foreign name, as `analytics_worker.server` does and Prefect's does not."""
    try:
        client.request("GET", "/health", headers=FOREIGN)
        refused = False
    except PrefectHTTPStatusError as error:
        refused = error.response.status_code == HTTPStatus.MISDIRECTED_REQUEST
    message = "refused" if refused else "web pages that people visit can use the API"
    fix = "Start the server with `make up` or `python -m analytics_worker.server PORT`."
    yield judged(AREA, "requests of web pages", message, warn=not refused, fix=fix)


def _server_api(client: SyncPrefectClient) -> dict[str, Any]:
    answer: dict[str, Any] = client.request("GET", "/admin/settings").json()
    return answer["server"]["api"]
