"""Refuse answers that are not the Prefect API's: a proxy or a login page that answers in its place, with status 200.

Reads the answers that the worker gets anyway; writes nothing.
"""

import httpx
from prefect.client.orchestration import PrefectClient

from analytics_worker.prefect_support.api_problems import ForeignAnswerError
from analytics_worker.prefect_support.stack_access import api_name
from analytics_worker.text import one_line
from analytics_worker.worker.prefect_internals import add_request_hooks

MAX_TYPE_LENGTH = 100


def refuse_foreign_answers(client: PrefectClient) -> None:
    """Let requests of the client fail if what answers them is not the API."""
    add_request_hooks(client, None, _check)


async def _check(response: httpx.Response) -> None:
    kind = response.headers.get("content-type", "")
    if response.is_success and kind and "json" not in kind.lower():
        raise ForeignAnswerError(
            f"{api_name()} is answered with {one_line(kind)[:MAX_TYPE_LENGTH]} in place of JSON:"
            " a proxy or a login page answers instead of it",
            request=response.request,
        )
