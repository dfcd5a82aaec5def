"""Call Slack's Web API and classify its responses.

Slack nearly always answers 200; ``ok`` and ``error`` contain the result
(https://docs.slack.dev/reference/methods/chat.postMessage). Writes nothing but requests.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

from pydantic import SecretStr

from analytics_worker.send_result import (
    SENT,
    SendResult,
    permanent,
    rate_limited,
    temporary,
)
from analytics_worker.transport.http import (
    DEFAULT_PAUSE_SECONDS,
    HttpResponse,
    HttpSession,
)

API_URL = "https://slack.com"

CREDENTIAL_ERRORS = frozenset(
    {
        "access_denied",
        "account_inactive",
        "invalid_auth",
        "missing_scope",
        "no_permission",
        "not_allowed_token_type",
        "not_authed",
        "org_login_required",
        "token_expired",
        "token_revoked",
        "two_factor_setup_required",
    }
)
OUTAGES = frozenset({"fatal_error", "internal_error", "service_unavailable", "request_timeout"})
RATE_LIMITS = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})


class SlackResponse(NamedTuple):
    """The fields of a response, and the result for the message."""

    fields: Mapping[str, Any]
    result: SendResult

    @property
    def error(self) -> str:
        """Slack's error code; empty if there is none."""
        return str(self.fields.get("error", ""))


class SlackApi:
    """The Web API with a bot's token."""

    def __init__(self, session: HttpSession, token: SecretStr) -> None:
        self.session = session
        self._headers = {"Authorization": f"Bearer {token.get_secret_value()}"}

    def call(self, method: str, body: Mapping[str, Any]) -> SlackResponse:
        """Call a method with JSON arguments."""
        return _slack_response(self.session.post_json(f"/api/{method}", body, self._headers))

    def call_with_form(self, method: str, fields: Mapping[str, Any]) -> SlackResponse:
        """Call a method that accepts no JSON."""
        content_type = {"Content-Type": "application/x-www-form-urlencoded"}
        data = urlencode(fields, errors="replace").encode()
        return _slack_response(
            self.session.post(f"/api/{method}", data, self._headers | content_type)
        )


def _slack_response(response: HttpResponse | SendResult) -> SlackResponse:
    if isinstance(response, SendResult):
        return SlackResponse({}, response)
    fields = response.fields()
    return SlackResponse(fields, _result(response, fields))


def _result(response: HttpResponse, fields: Mapping[str, Any]) -> SendResult:
    if not response.succeeded:
        return response.result()
    if fields.get("ok") is True:
        return SENT
    error = str(fields.get("error", "a response that is not JSON"))
    detail = f"Slack answered {error}"
    if error in CREDENTIAL_ERRORS:
        return response.refused_credentials(f"{error}; check the bot token and its scopes")
    if error in RATE_LIMITS:
        return rate_limited(detail, response.retry_after_seconds or DEFAULT_PAUSE_SECONDS)
    if error in OUTAGES or "error" not in fields:
        return temporary(detail, code=response.status, outage=True)
    return permanent(detail, code=response.status)
