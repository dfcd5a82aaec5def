"""Send messages to a channel or chat of Microsoft Teams as Adaptive Cards, through a Workflows webhook.

Teams accepts neither files nor replies there: files become links. A workflow answers 202. It may also
answer 200 and report the error of Teams in the text
(https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using:
four requests a second, 28 KB, "Webhook message delivery failed with error: … HTTP error 429").
Reads ``WEBHOOK_*`` settings; writes nothing but messages. Teams removes no duplicates.
"""

import re
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial

from analytics_worker.delivery.channels.base import Channel, Sender
from analytics_worker.delivery.channels.card import card_of
from analytics_worker.delivery.channels.factory import http_channel
from analytics_worker.delivery.channels.teams_card import teams_message
from analytics_worker.delivery.message import OutgoingMessage
from analytics_worker.send_result import SendResult, temporary
from analytics_worker.telemetry import timed_request
from analytics_worker.transport.http import (
    MISSING,
    UNAUTHORIZED,
    HttpResponse,
    HttpSession,
    http_session,
)
from analytics_worker.transport.http_backend import check_target
from analytics_worker.transport.webhook_url import parse_url
from blocks.notifications import TeamsChannel

_REPORTED_ERROR = re.compile(rb"HTTP error (\d{3})")
_REPORTED_FAILURE = b"delivery failed"


def open_channel(name: str, block: TeamsChannel) -> Channel:
    """Return the channel of a block; nothing is opened before its session is.

    Raises:
        PermanentError: the block's address can't be used.
    """
    url = block.url.get_secret_value()
    target = parse_url(url)

    @contextmanager
    def session() -> Generator[Sender]:
        with http_session(url) as http:
            yield lambda message: _post(http, target.path, message)

    check = partial(check_target, target)
    return http_channel(name, "teams", target.host, session, block.rate, check=check)


@timed_request("teams")
def _post(http: HttpSession, path: str, message: OutgoingMessage) -> SendResult:
    response = http.post_json(path, teams_message(card_of(message.content)))
    return (
        _result(_with_reported_status(response)) if isinstance(response, HttpResponse) else response
    )


def _with_reported_status(response: HttpResponse) -> HttpResponse:
    """Replace the status by the one that the text of a 200 reports."""
    error = _REPORTED_ERROR.search(response.body)
    if not response.succeeded:
        return response
    if error:
        return response._replace(status=int(error[1]))
    return response._replace(status=502) if _REPORTED_FAILURE in response.body else response


def _result(response: HttpResponse) -> SendResult:
    if response.status in UNAUTHORIZED:
        return response.refused_credentials("copy the workflow's address again")
    if response.status in MISSING:
        return temporary(f"{response.origin} answered {response.status}", code=response.status)
    return response.result()
