"""Say in one line why a request to the Prefect API failed, and how to fix it. Reads Prefect's settings; writes nothing.

A server that refuses a request, or does not know its object, has answered: only one that is not reached "does not answer".
"""

from http import HTTPStatus

import httpx
from prefect.exceptions import ObjectNotFound

from analytics_worker.prefect_support.api_client import (
    FOREIGN_PAGE,
    ApiRefusedError,
    is_page,
    refusal_message,
    response_detail,
)
from analytics_worker.prefect_support.stack_access import (
    ApiUnavailableError,
    api_name,
    unavailable_message,
)
from analytics_worker.text import one_line


class ForeignAnswerError(httpx.DecodingError):
    """The answer is not the API's; handled like an API that does not answer."""


def api_problem(error: BaseException) -> str:
    """Return why the request failed; of any other error its type and text."""
    if isinstance(error, ObjectNotFound):
        error = error.http_exc
    if refused := refusal_message(error):
        return refused
    match error:
        case httpx.HTTPStatusError():
            return _error_answer(error.response)
        case ForeignAnswerError() | ApiRefusedError() | ApiUnavailableError():
            return str(error)
        case httpx.HTTPError():
            return unavailable_message(error)
        case _ if is_page(error):
            return FOREIGN_PAGE.format(api=api_name())
        case _:
            return one_line(f"{type(error).__name__}: {error}".removesuffix(": "))


def _error_answer(response: httpx.Response) -> str:
    status, request = response.status_code, response.request
    where = f"{request.method} {request.url.path}"
    parts = (f"{api_name()} answers {where} with status {status}", response_detail(response))
    fix = "; its log says why" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else ""
    return ": ".join(filter(None, parts)) + fix
