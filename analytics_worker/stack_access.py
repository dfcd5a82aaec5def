"""How the other processes of this checkout reach the stack that `make up` runs in it.

Reads ``stack.env`` in the state folder, which only its owner can read; writes nothing.
"""

from pathlib import Path

from dotenv import dotenv_values

from analytics_worker.settings import settings, user_variables

API_URL, API_LOGIN = "PREFECT_API_URL", "PREFECT_API_AUTH_STRING"
DEFAULT_ADDRESS = "http://127.0.0.1:4200/api"
"""Of the stack, unless PREFECT_SERVER_API_PORT or PREFECT_SERVER_API_HOST is set."""


def stack_variables() -> dict[str, str]:
    """What `make up` wrote for other processes; empty when no stack runs."""
    file = dotenv_values(settings().state_dir / "stack.env", interpolate=False)
    return {name: value for name, value in file.items() if value is not None}


def api_address() -> str | None:
    """PREFECT_API_URL of the environment or ``.env``, else of the stack that runs here."""
    return user_variables().get(API_URL) or stack_variables().get(API_URL)


def is_stack_address(api_url: str | None) -> bool:
    """Whether that is the address of the stack that runs here.

    Another name of this host, such as localhost, may lead to a port of somebody else's.
    """
    own = stack_variables().get(API_URL)
    return own is not None and api_url is not None and api_url.rstrip("/") == own.rstrip("/")


def stack_login(api_url: str | None) -> str | None:
    """The login of the stack that runs here, if that is its address: no other server may get it."""
    return stack_variables().get(API_LOGIN) if is_stack_address(api_url) else None


def login_file() -> Path:
    """Where `make up` keeps the login that it made."""
    return settings().state_dir / "login"
