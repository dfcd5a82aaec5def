"""Provide Prefect's client with the login of the local stack, and errors that name the missing login.

Reads Prefect's settings and ``stack.env``; writes nothing. A login that the user set takes precedence.
"""

from collections.abc import Generator
from contextlib import contextmanager, suppress
from http import HTTPStatus

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    get_current_settings,
    temporary_settings,
)

from analytics_worker.errors import PermanentError
from analytics_worker.prefect_support.result_libraries import restrict_result_libraries
from analytics_worker.stack_access import API_LOGIN, login_file, stack_login
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


@contextmanager
def with_stack_login() -> Generator[None]:
    """Use the login of the local stack if Prefect's settings name its API and no login."""
    api = get_current_settings().api
    configured = api.auth_string and api.auth_string.get_secret_value()
    login = None if configured or api.key else stack_login(api.url)
    if login is None:
        yield
        return
    with temporary_settings({PREFECT_API_AUTH_STRING: login}):
        yield


@contextmanager
def api_client() -> Generator[SyncPrefectClient]:
    """Open a client for the API of Prefect's settings.

    Raises:
        ApiRefusedError: the API requires a login, or refuses the request.
    """
    restrict_result_libraries()
    with with_stack_login(), get_client(sync_client=True) as client:
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


def refusal_message(error: BaseException) -> str | None:
    """Return how to fix a refusal; None for any other error."""
    if (
        not isinstance(error, httpx.HTTPStatusError)
        or error.response.status_code not in REFUSAL_STATUSES
    ):
        return None
    api = f"The Prefect API {get_current_settings().api.url}"
    if error.response.status_code == HTTPStatus.UNAUTHORIZED:
        return f"{api} {_login_message()}"
    detail = _detail(error.response)
    csrf = " Set PREFECT_CLIENT_CSRF_SUPPORT_ENABLED=true." if "CSRF" in detail else ""
    return f"{api} refused the request: {detail}{csrf}"


def _login_message() -> str:
    login = get_current_settings().api.auth_string
    problem = f"does not accept the login in {API_LOGIN}" if login else "requires a login"
    file = login_file()
    hint = f" The login of `make up` in this folder is in {file}." if file.exists() else ""
    return f"{problem}: set {API_LOGIN}=user:password.{hint}"


def _detail(response: httpx.Response) -> str:
    """Return the reason in the response in one line: it is untrusted text."""
    try:
        body = response.json()
        return one_line(str(body.get("detail") or body.get("exception_message") or body))
    except (ValueError, AttributeError):
        return f"status {response.status_code}"
