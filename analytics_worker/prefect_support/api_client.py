"""Provide Prefect's client with address and login of the local stack, and errors that name both.

Reads Prefect's settings and ``stack.env``; writes nothing. What the user set takes precedence.
"""

from collections.abc import Generator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import NamedTuple

import httpx
import prefect.context
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_URL,
    Settings,
    get_current_settings,
    temporary_settings,
)

from analytics_worker.errors import PermanentError
from analytics_worker.prefect_support.result_libraries import restrict_result_libraries
from analytics_worker.settings import user_variables
from analytics_worker.stack_address import (
    API_LOGIN,
    API_URL,
    DEFAULT_ADDRESS,
    api_address,
    is_stack_address,
    login_file,
    stack_login,
)
from analytics_worker.text import one_line

REFUSAL_STATUSES = frozenset(
    {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        HTTPStatus.MISDIRECTED_REQUEST,
    }
)


class ApiRefusedError(PermanentError):
    """The Prefect API refuses the caller or the request; the message names the variable to set."""


class ApiUnavailableError(ConnectionError):
    """The Prefect API does not answer; the message names the address and what to do."""


@contextmanager
def with_stack_access() -> Generator[None]:
    """Use the address and the login of the local stack, unless the user set others."""
    address = _address()
    with temporary_settings({PREFECT_API_URL: address} if address else {}), _with_stack_login():
        yield


def _address() -> str | None:
    """Return the address to use in place of that of Prefect's settings; None if those take precedence."""
    current, first = get_current_settings().api.url, _settings_at_import().api.url
    if current != first or (current and user_variables().get(API_URL) == current):
        return None
    return api_address() or (None if current else DEFAULT_ADDRESS)


def _settings_at_import() -> Settings:
    """Return Prefect's settings without the temporary ones of this thread."""
    context = prefect.context.GLOBAL_SETTINGS_CONTEXT
    return context.settings if context else get_current_settings()


@contextmanager
def _with_stack_login() -> Generator[None]:
    """Use the login of the local stack if Prefect's settings name its API and no login."""
    api = get_current_settings().api
    configured = api.auth_string and api.auth_string.get_secret_value()
    login = None if configured or api.key else stack_login(api.url)
    with temporary_settings({PREFECT_API_AUTH_STRING: login} if login else {}):
        yield


@contextmanager
def api_client() -> Generator[SyncPrefectClient]:
    """Open a client for the API of Prefect's settings.

    Raises:
        ApiRefusedError: the API requires a login, or refuses the request.
    """
    restrict_result_libraries()
    with with_stack_access(), get_client(sync_client=True) as client:
        try:
            yield client
        except PrefectHTTPStatusError as error:
            if message := refusal_message(error):
                raise ApiRefusedError(message) from error
            raise


def check_access() -> None:
    """Send one request, to fail now if the API refuses it; an unavailable API is not an error.

    Raises:
        ApiRefusedError: as `api_client`.
    """
    with suppress(httpx.HTTPError), api_client() as client:
        client.read_work_pools(limit=1)


class Refusal(NamedTuple):
    """A request that the API refuses, and how to fix it."""

    problem: str
    fix: str

    def __str__(self) -> str:
        return f"{self.problem}: {self.fix[0].lower()}{self.fix[1:]}" if self.fix else self.problem


def refusal_message(error: BaseException) -> str | None:
    """Return how to fix a refusal; None for any other error."""
    refused = refusal(error)
    return refused and str(refused)


def refusal(error: BaseException) -> Refusal | None:
    """Return what the API refuses; None for any other error."""
    if (
        not isinstance(error, httpx.HTTPStatusError)
        or error.response.status_code not in REFUSAL_STATUSES
    ):
        return None
    if error.response.status_code == HTTPStatus.UNAUTHORIZED:
        return _login_needed()
    detail = _detail(error.response)
    fix = "Set PREFECT_CLIENT_CSRF_SUPPORT_ENABLED=true." if "CSRF" in detail else ""
    return Refusal(f"{_api_name()} refused the request: {detail}", fix)


def unavailable_message(error: httpx.HTTPError) -> str:
    """Return how to fix an API that does not answer."""
    problem = f"{_api_name()} does not answer ({type(error).__name__})"
    return f"{problem}: run `make up`, or set {API_URL}."


def _api_name() -> str:
    return f"The Prefect API {get_current_settings().api.url}"


def _login_needed() -> Refusal:
    api = get_current_settings().api
    problem = f"does not accept the login in {API_LOGIN}" if api.auth_string else "requires a login"
    file = login_file()
    is_own = is_stack_address(api.url) and file.exists()
    hint = f" The login of `make up` in this folder is in {file}." if is_own else ""
    return Refusal(f"{_api_name()} {problem}", f"Set {API_LOGIN}=user:password.{hint}")


def _detail(response: httpx.Response) -> str:
    """Return the reason in the response in one line: it is untrusted text."""
    try:
        body = response.json()
        return one_line(str(body.get("detail") or body.get("exception_message") or body))
    except (ValueError, AttributeError):
        return f"status {response.status_code}"
