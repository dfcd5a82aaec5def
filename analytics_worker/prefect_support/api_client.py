"""Provide Prefect's client with address and login of the local stack, and errors that name both.

Reads Prefect's settings and ``stack.env``; writes nothing. What the user set takes precedence.
"""

import json
from collections.abc import Generator
from contextlib import contextmanager
from http import HTTPStatus
from typing import NamedTuple

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import get_current_settings

from analytics_worker.errors import PermanentError
from analytics_worker.prefect_support.api_tls import with_shared_context
from analytics_worker.prefect_support.result_libraries import restrict_result_libraries
from analytics_worker.prefect_support.stack_access import (
    ApiUnavailableError,
    NoServerError,
    api_name,
    check_server,
    credentials,
    with_stack_access,
)
from analytics_worker.stack_address import (
    API_HEADERS,
    API_KEY,
    API_LOGIN,
    is_stack_address,
    login_file,
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

FOREIGN_PAGE = (
    "{api} is answered with a page in place of JSON: a proxy or a login page answers instead of it."
)


class ApiRefusedError(PermanentError):
    """The Prefect API refuses the caller or the request; the message names the variable to set."""


@contextmanager
def api_client() -> Generator[SyncPrefectClient]:
    """Open a client for the API of Prefect's settings.

    Raises:
        ApiLoginError: the login can't be sent.
        ApiRefusedError: the API requires a login, or refuses the request.
        ApiUnavailableError: there is no server, it is not reached within two seconds, or a page of another answers.
    """
    restrict_result_libraries()
    with with_stack_access():
        check_server()
        with get_client(with_shared_context({}), sync_client=True) as client, _refusals():
            yield client


@contextmanager
def _refusals() -> Generator[None]:
    try:
        yield
    except PrefectHTTPStatusError as error:
        if message := refusal_message(error):
            raise ApiRefusedError(message) from error
        raise
    except json.JSONDecodeError as error:
        if is_page(error):
            raise ApiUnavailableError(FOREIGN_PAGE.format(api=api_name())) from None
        raise


def is_page(error: BaseException) -> bool:
    """Whether the error is that a page was read as JSON."""
    return isinstance(error, json.JSONDecodeError) and error.doc.lstrip().startswith("<")


def check_access() -> None:
    """Send one request, to fail now if the API refuses it; an unavailable API is not an error.

    Raises:
        ApiRefusedError: as `api_client`.
        NoServerError: as `check_server`.
    """
    try:
        with api_client() as client:
            client.read_work_pools(limit=1)
    except NoServerError:
        raise
    except (httpx.HTTPError, ApiUnavailableError):
        return


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
    detail = response_detail(error.response) or f"status {error.response.status_code}"
    return Refusal(f"{api_name()} refused the request: {detail}", _fix(error.response, detail))


def _fix(response: httpx.Response, detail: str) -> str:
    if "CSRF" in detail:
        return "Set PREFECT_CLIENT_CSRF_SUPPORT_ENABLED=true."
    if "html" in response.headers.get("content-type", "").lower():
        return f"A proxy or a login page answers instead of it; what it requires is set in {API_HEADERS}."
    return ""


def _login_needed() -> Refusal:
    api = get_current_settings().api
    given = next((variable for variable, _ in credentials()), None)
    kind = "key" if given == API_KEY else "login"
    problem = f"does not accept the {kind} in {given}" if given else "requires a login"
    file = login_file()
    is_own = is_stack_address(api.url) and file.exists()
    hint = f" The login of `make up` in this folder is in {file}." if is_own else ""
    return Refusal(f"{api_name()} {problem}", f"Set {API_LOGIN}=user:password.{hint}")


def response_detail(response: httpx.Response) -> str | None:
    """Return the reason in the response, if it has one, in one line: it is untrusted text."""
    try:
        body = response.json()
        return one_line(str(body.get("detail") or body.get("exception_message") or body))
    except (ValueError, AttributeError):
        return None
