"""Prefect's client with the login of the stack that runs here, and errors that name the login.

Reads Prefect's settings and ``stack.env``; writes nothing. A login that the user set wins.
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

from toolkit.errors import PermanentError
from toolkit.result_libraries import keep_state_data_inert
from toolkit.stack_access import API_LOGIN, login_file, stack_login
from toolkit.text import one_line

REFUSED = frozenset(
    {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        HTTPStatus.MISDIRECTED_REQUEST,
    }
)


class ApiRefusedError(PermanentError):
    """The Prefect API does not accept who asks, or how; the message names what to set."""


@contextmanager
def with_stack_login() -> Generator[None]:
    """Use the login of the stack that runs here, if Prefect's settings name that stack and no login."""
    api = get_current_settings().api
    known = api.auth_string and api.auth_string.get_secret_value()
    login = None if known or api.key else stack_login(api.url)
    if login is None:
        yield
        return
    with temporary_settings({PREFECT_API_AUTH_STRING: login}):
        yield


@contextmanager
def api_client() -> Generator[SyncPrefectClient]:
    """A client for the API of Prefect's settings.

    Raises:
        ApiRefusedError: the API asks for a login, or refuses the request before it looks at it.
    """
    keep_state_data_inert()
    with with_stack_login(), get_client(sync_client=True) as client:
        try:
            yield client
        except PrefectHTTPStatusError as error:
            if message := refusal_message(error):
                raise ApiRefusedError(message) from error
            raise


def check_access() -> None:
    """Ask the API for something, to be refused now and not at every poll; one that is away may come.

    Raises:
        ApiRefusedError: as `api_client`.
    """
    with suppress(httpx.HTTPError), api_client() as client:
        client.read_work_pools(limit=1)


def refusal_message(error: BaseException) -> str | None:
    """What a person does about a refusal; None if the error is of another kind."""
    if not isinstance(error, httpx.HTTPStatusError) or error.response.status_code not in REFUSED:
        return None
    api = f"The Prefect API {get_current_settings().api.url}"
    if error.response.status_code == HTTPStatus.UNAUTHORIZED:
        return f"{api} {_login_needed()}"
    detail = _detail(error.response)
    csrf = " Set PREFECT_CLIENT_CSRF_SUPPORT_ENABLED=true." if "CSRF" in detail else ""
    return f"{api} refused the request: {detail}{csrf}"


def _login_needed() -> str:
    given = get_current_settings().api.auth_string
    what = f"does not accept the login in {API_LOGIN}" if given else "asks for a login"
    file = login_file()
    where = f" That of `make up` in this folder is in {file}." if file.exists() else ""
    return f"{what}: set {API_LOGIN}=user:password.{where}"


def _detail(response: httpx.Response) -> str:
    """The reason in the answer, which is somebody else's text."""
    try:
        body = response.json()
        return one_line(str(body.get("detail") or body.get("exception_message") or body))
    except (ValueError, AttributeError):
        return f"status {response.status_code}"
