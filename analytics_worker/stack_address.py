"""Read how other processes of this checkout reach the stack that `make up` runs.

Reads ``stack.env`` in the state folder, which only its owner can read; writes nothing.
"""

import re
import secrets
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from dotenv import dotenv_values

from analytics_worker.errors import PermanentError
from analytics_worker.server_login import NOT_ASCII
from analytics_worker.settings import settings, user_variables

API_URL, API_LOGIN = "PREFECT_API_URL", "PREFECT_API_AUTH_STRING"
API_KEY, API_HEADERS = "PREFECT_API_KEY", "PREFECT_CLIENT_CUSTOM_HEADERS"
STACK_ID = "STACK_ID"
"""The name of a stack in ``stack.env``; no process gets this variable."""
PROCESS_MARKER = "ANALYTICS_WORKER_STACK"
"""The variable with that name in the environment of the stack's processes."""
STACK_HEADER = "x-analytics-worker-stack"
"""The header in which a stack's server names itself."""

_URL = re.compile(r"https?://[^\s/?#]+[^\s?#]*", re.IGNORECASE)


def new_marker() -> str:
    """Return a name for a stack."""
    return secrets.token_hex(8)


class ApiUrlError(PermanentError):
    """PREFECT_API_URL is not the URL of a Prefect API; the message says what is expected."""


def check_api_url(url: str | None) -> None:
    """Refuse an address that Prefect would fail on with a traceback, some of them when it is imported.

    Raises:
        ApiUrlError: it is not a valid URL; the message does not repeat it if it may contain a password.
    """
    if not url:
        return
    try:
        parts = urlsplit(url)
        if _URL.fullmatch(url) and parts.hostname and parts.port != 0:
            return
    except ValueError:  # the port, or brackets
        pass
    value = API_URL if "@" in url else f"{API_URL}={url!r:.200}"
    raise ApiUrlError(f"{value} is not a valid URL; expected http://127.0.0.1:4200/api")


class ApiLoginError(PermanentError):
    """A login, key or header can't be sent to the Prefect API; the message names its variable, never its value."""


def check_credential(variable: str, value: str | None) -> None:
    """Refuse what Prefect's client fails on with a traceback, or its server with status 500.

    Raises:
        ApiLoginError: it is not ASCII, or, for what is sent as it is, not printable.
    """
    if not value or (value.isascii() and (value.isprintable() or variable == API_LOGIN)):
        return
    if variable == API_LOGIN:
        raise ApiLoginError(f"{variable} {NOT_ASCII}")
    raise ApiLoginError(
        f"{variable} has a character that no header can have; expected printable ASCII"
    )


def without_login(url: str | None) -> str:
    """Return a URL without the user and password that it may contain."""
    parts = urlsplit(url or "")
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def stack_variables() -> dict[str, str]:
    """Return the variables that `make up` wrote for other processes; empty if no stack runs."""
    file = dotenv_values(settings().state_dir / "stack.env", interpolate=False)
    return {name: value for name, value in file.items() if value is not None}


def api_address() -> str | None:
    """Return PREFECT_API_URL of the environment or ``.env``, else of the local stack."""
    return user_variables().get(API_URL) or stack_variables().get(API_URL)


def stack_id() -> str | None:
    """Return the name of the stack that runs here, which its server sends with each response."""
    return stack_variables().get(STACK_ID) or None


def is_stack_process() -> bool:
    """Return whether this is a process of a stack, which got its address from its supervisor."""
    return PROCESS_MARKER in user_variables()


def is_stack_address(api_url: str | None) -> bool:
    """Return whether the URL is that of the local stack: no other server may get its login.

    Another name of this host, such as localhost, may lead to the port of another user's process.
    """
    own = stack_variables().get(API_URL)
    return own is not None and api_url is not None and api_url.rstrip("/") == own.rstrip("/")


def stack_login(api_url: str | None) -> str | None:
    """Return the login of the local stack if the URL is its own: no other server may get it."""
    return stack_variables().get(API_LOGIN) if is_stack_address(api_url) else None


def login_file() -> Path:
    """Return the file in which `make up` keeps the login that it created."""
    return settings().state_dir / "login"
