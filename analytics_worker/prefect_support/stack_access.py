"""Choose the Prefect server of this process: that of the local stack, unless the user named another.

Reads Prefect's settings and ``stack.env``, and asks the server who it is; writes nothing. Prefect never
starts a server of its own.
"""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import httpx
import prefect.context
from prefect.settings import Settings, get_current_settings

from analytics_worker.prefect_support.connection_causes import connection_cause
from analytics_worker.settings import project_root, user_variables
from analytics_worker.stack_address import (
    API_HEADERS,
    API_KEY,
    API_LOGIN,
    API_URL,
    STACK_HEADER,
    ApiUrlError,
    api_address,
    check_api_url,
    check_credential,
    is_stack_address,
    is_stack_process,
    stack_id,
    stack_login,
    without_login,
)

CONNECT_SECONDS, ANSWER_SECONDS = 2.0, 10.0
NO_SERVER = "No Prefect server is known: run `make up` in {folder}, or set PREFECT_API_URL."
OTHER_SERVER = (
    "The server at {url} is not the stack of {folder} that should be there: run `make up` in that"
    " folder, or set PREFECT_API_URL."
)


Changes = dict[Any, str | bool]


class _Copy(NamedTuple):
    original: Settings
    changes: Changes
    settings: Settings


_last_copy: _Copy | None = None


class ApiUnavailableError(ConnectionError):
    """The Prefect API does not answer; the message names the address and what to do."""


class NoServerError(ApiUnavailableError):
    """No Prefect server is known, or the one at the address is another's; the message says what to do."""


@contextmanager
def with_stack_access() -> Generator[None]:
    """Use the address and the login of the local stack, unless the user set others.

    Prefect starts no server of its own where there is neither.
    """
    context = prefect.context.get_settings_context()
    changes = _changes(context.settings)
    settings = _copy_with(context.settings, changes) if changes else context.settings
    with prefect.context.SettingsContext(profile=context.profile, settings=settings):
        yield


def _changes(current: Settings) -> Changes:
    """Return what is not yet as it should be, by the path of the setting."""
    address = _address()
    changes: Changes = {"api.url": address} if address else {}
    if login := _stack_login(current, address or current.api.url):
        changes["api.auth_string"] = login
    if current.server.ephemeral.enabled:
        changes["server.ephemeral.enabled"] = False
    return changes


def _copy_with(current: Settings, changes: Changes) -> Settings:
    """Return changed settings. Prefect takes 30 ms to validate them, so the last ones are kept."""
    global _last_copy  # noqa: PLW0603  # one assignment: another thread reads the old one or the new one
    last = _last_copy
    if last is None or last.original is not current or last.changes != changes:
        last = _last_copy = _Copy(current, changes, current.copy_with_update(updates=changes))
    return last.settings


@contextmanager
def use_server() -> Generator[None]:
    """Use the local stack where Prefect's settings name no server.

    Raises:
        ApiLoginError: the login can't be sent.
        ApiUnavailableError: as `check_server`.
    """
    if get_current_settings().api.url:
        check_credentials()
        yield
        return
    with with_stack_access():
        check_server()
        yield


def _address() -> str | None:
    """Return the address to use in place of that of Prefect's settings; None if those take precedence."""
    current, first = get_current_settings().api.url, _settings_at_import().api.url
    if current != first or (current and user_variables().get(API_URL) == current):
        return None
    return api_address()


def _settings_at_import() -> Settings:
    """Return Prefect's settings without the temporary ones of this thread."""
    context = prefect.context.GLOBAL_SETTINGS_CONTEXT
    return context.settings if context else get_current_settings()


def _stack_login(current: Settings, url: str | None) -> str | None:
    """Return the login of the local stack if this is its API, and the settings have no login."""
    configured = current.api.auth_string and current.api.auth_string.get_secret_value()
    return None if configured or current.api.key else stack_login(url)


def check_server() -> None:
    """Check that the server of Prefect's settings is reached, and is the stack's if it should be.

    The stack's own processes don't check: they wait for a server that starts again.

    Raises:
        ApiUrlError: the address is not a valid URL, or is not that of the API of the server there.
        ApiLoginError: the login can't be sent.
        NoServerError: no server is known, or another stack has the address by now.
        ApiUnavailableError: it is not reached within two seconds.
    """
    url = get_current_settings().api.url
    if url is None:
        raise NoServerError(NO_SERVER.format(folder=project_root()))
    check_api_url(url)
    check_credentials()
    if is_stack_process():
        return
    if is_stack_address(url):
        _check_stack(url)
    else:
        _check_reached(url)


def check_credentials() -> None:
    """Check what clients send to be let in, before anything is sent.

    Raises:
        ApiLoginError: it can't be sent.
    """
    headers = get_current_settings().client.custom_headers.values()
    for variable, value in (*credentials(), *((API_HEADERS, str(header)) for header in headers)):
        check_credential(variable, value)


def credentials() -> Iterator[tuple[str, str]]:
    """Yield the login and the key of Prefect's settings that are set, with their variables."""
    api = get_current_settings().api
    for variable, secret in ((API_LOGIN, api.auth_string), (API_KEY, api.key)):
        if secret and secret.get_secret_value():
            yield variable, secret.get_secret_value()


def _check_stack(url: str) -> None:
    """Check that the server is the one that `make up` of this folder started; send no login before."""
    try:
        found = _health(url, trust_env=False).headers.get(STACK_HEADER)
    except httpx.TransportError as error:
        raise ApiUnavailableError(unavailable_message(error)) from None
    if found != stack_id():  # both are None for a stack that started before there were names
        raise NoServerError(OTHER_SERVER.format(url=url, folder=project_root()))


def _check_reached(url: str) -> None:
    """Check that something answers; the request itself shows all other errors."""
    try:
        if not _is_healthy(url) and _is_healthy(api := f"{url.rstrip('/')}/api"):
            raise ApiUrlError(
                f"{without_login(url)} is not the address of the API;"
                f" set {API_URL}={without_login(api)}"
            )
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise ApiUnavailableError(unavailable_message(error)) from None
    except (httpx.TransportError, httpx.InvalidURL):
        return


def _is_healthy(url: str) -> bool:
    """Whether a Prefect API answers there; its user interface answers any path with a page."""
    return _health(url, trust_env=True).text.strip() == "true"


def _health(url: str, *, trust_env: bool) -> httpx.Response:
    timeout = httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
    verify = False  # nothing is sent but the path; Prefect's client verifies certificates
    address = f"{url.rstrip('/')}/health"
    return httpx.get(address, timeout=timeout, verify=verify, trust_env=trust_env)


def unavailable_message(error: httpx.HTTPError) -> str:
    """Return how to fix an API that does not answer."""
    cause = connection_cause(error)
    return f"{api_name()} does not answer ({cause.reason}): {cause.fix}."


def api_name() -> str:
    """Return the API as messages name it."""
    return f"The Prefect API {without_login(get_current_settings().api.url)}"
