"""Post signed JSON to webhooks on kept connections, never to forbidden addresses inside the network.

Reads ``WEBHOOK_*`` settings; writes nothing but requests. Repeating a request is safe as far as the
receiver removes duplicates by ``Idempotency-Key``, which the caller chooses and keeps.
::

    with webhook_session(url, secret) as session:
        result = session.post({"status": "firing"}, key="a-3f9c")

Headers (those named ``webhook-…`` follow standardwebhooks.com, whose libraries verify them):

* ``Idempotency-Key`` and ``webhook-id``: the same for every attempt of one message;
* ``webhook-timestamp``: seconds since 1970, UTC, of this attempt;
* ``webhook-signature``: ``v1,`` and base64 of HMAC-SHA256 over ``<id>.<timestamp>.<body>``.

A receiver verifies in four lines, on the raw body::

    age = abs(time.time() - int(headers["webhook-timestamp"]))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.digest(secret, signed, "sha256")).decode()
    genuine = age < 300 and hmac.compare_digest(expected, headers["webhook-signature"])

A secret that starts with ``whsec_`` is the base64 of the key; any other is the key itself, in UTF-8.
Several threads may share a session. Failures of a server are returned as `SendResult`, not raised, and
contain only the scheme and host of the address, because the rest is often a secret.
"""

import base64
import hmac
import json
import logging
import re
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Self

import httpcore
from pydantic import SecretStr

from analytics_worker.errors import ConfigurationError, PermanentError
from analytics_worker.send_result import (
    SENT,
    SendResult,
    permanent,
    refused,
    temporary,
    unreachable,
)
from analytics_worker.settings import settings
from analytics_worker.telemetry import timed_request
from analytics_worker.transport.address_filter import AllowList, configured_allow_list
from analytics_worker.transport.http_backend import IDLE_SECONDS, CheckedBackend, RequestDeadline
from analytics_worker.transport.http_response import (
    RETRYABLE_STATUSES,
    read_body,
    retry_after_seconds,
)
from analytics_worker.transport.tls import default_ssl_context
from analytics_worker.transport.webhook_url import Target, parse_url

_SAFE_BODY = re.compile(r"[A-Za-z0-9_ .,:;'-]{1,100}")  # short texts, as Slack answers
_KEY = re.compile(r"[!-~]{1,500}")  # what a header can contain
_TOKENS = re.compile(r"[^/?&=]{4,}")


def sign(secret: str, key: str, timestamp: int, body: bytes) -> str:
    """Return the ``webhook-signature`` of a message.

    Raises:
        ConfigurationError: the secret is not valid.
    """
    signed = f"{key}.{timestamp}.".encode() + body
    digest = hmac.digest(signing_key(secret), signed, "sha256")
    return f"v1,{base64.b64encode(digest).decode()}"


def signing_key(secret: str) -> bytes:
    """Return the key that a secret contains.

    Raises:
        ConfigurationError: it is not valid; the message does not repeat it.
    """
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"))
    except ValueError:
        raise ConfigurationError(
            "the webhook's secret is not valid: what follows whsec_ must be base64"
            " (ALERT_WEBHOOK_SECRET, or `secret` of the block)"
        ) from None


@contextmanager
def webhook_session(
    url: SecretStr,
    secret: SecretStr | None = None,
    *,
    connections: int = 4,
    timeout_seconds: float | None = None,
) -> Generator["WebhookSession"]:
    """Open a session for one address, with connections that are opened when needed and kept.

    Raises:
        PermanentError: the address or OUTBOUND_ALLOWED_HOSTS can't be used.
    """
    # At DEBUG it logs the response's headers, and a redirect repeats the address.
    logging.getLogger("httpcore").setLevel(logging.INFO)
    target = parse_url(url.get_secret_value())
    allowed = configured_allow_list()
    timeout = timeout_seconds or settings().webhook_timeout_seconds
    with WebhookSession(target, secret, allowed, connections, timeout) as session:
        yield session


class WebhookSession:
    """Kept connections to one receiver."""

    def __init__(
        self,
        target: Target,
        secret: SecretStr | None,
        allowed: AllowList,
        connections: int,
        timeout_seconds: float,
    ) -> None:
        self.target = target
        self._secret = secret
        self._timeout = timeout_seconds
        self._deadline = RequestDeadline()
        self._pool = httpcore.ConnectionPool(
            ssl_context=default_ssl_context() if target.scheme == "https" else None,
            max_connections=connections,
            keepalive_expiry=IDLE_SECONDS,
            network_backend=CheckedBackend(allowed, self._deadline),
        )

    def __enter__(self) -> Self:
        """Return the session."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._pool.close()

    @timed_request("webhook")
    def post(self, body: Mapping[str, Any], key: str) -> SendResult:
        """Post one message; ``key`` is its idempotency key in all attempts."""
        data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
        try:
            return self._post(data, self._headers(key, data))
        except PermanentError as error:
            return refused(error, self.target)
        except (httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.PoolTimeout) as error:
            return unreachable(f"{self.target}: {_reason(error)}")
        except httpcore.LocalProtocolError:
            return permanent(f"{self.target}: the request can't be written as HTTP")
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
            return temporary(f"{self.target}: {_reason(error)}", outage=True)

    def _headers(self, key: str, body: bytes) -> dict[bytes | str, bytes | str]:
        if not _KEY.fullmatch(key):
            raise PermanentError(f"{key!a:.80} is not a valid message key; expected {_KEY.pattern}")
        now = int(time.time())
        headers: dict[bytes | str, bytes | str] = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "analytics-worker",
            "Idempotency-Key": key,
            "webhook-id": key,
            "webhook-timestamp": str(now),
        }
        if self._secret is not None:
            headers["webhook-signature"] = sign(self._secret.get_secret_value(), key, now, body)
        if self.target.authorization:
            headers["Authorization"] = self.target.authorization
        return headers

    def _post(self, body: bytes, headers: dict[bytes | str, bytes | str]) -> SendResult:
        scheme, host, port, path, _ = self.target
        self._deadline.start(self._timeout)
        url = httpcore.URL(scheme=scheme, host=host, port=port, target=path)
        limits = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), self._timeout)}
        with self._pool.stream(
            "POST", url, headers=headers, content=body, extensions=limits
        ) as response:
            return self._result(response, read_body(response))

    def _result(self, response: httpcore.Response, body: bytes) -> SendResult:
        status = response.status
        detail = f"{self.target} answered {status}{self._quotable_body(body)}"
        match status // 100:
            case 2:
                return SENT
            case 3:
                return permanent(f"{detail}; redirects are not followed", code=status)
            case 4 if status not in RETRYABLE_STATUSES:
                return permanent(detail, code=status)
            case _:
                later = temporary(detail, code=status, outage=status not in RETRYABLE_STATUSES)
                return replace(later, retry_after_seconds=retry_after_seconds(response))

    def _quotable_body(self, body: bytes) -> str:
        """Return the body for quoting if it is short, plain, and without any part of the address."""
        text = body.decode(errors="replace").strip()
        parts = _TOKENS.findall(self.target.path)
        if not _SAFE_BODY.fullmatch(text) or any(part in text for part in parts):
            return ""
        return f": {text}"


def _reason(error: Exception) -> str:
    if isinstance(error, httpcore.TimeoutException):
        return "no answer in time"
    if isinstance(error, httpcore.RemoteProtocolError) and not _closed_early(error):
        return "the answer is not HTTP"  # the error would quote the greeting of another service
    return str(error) or type(error).__name__


def _closed_early(error: httpcore.RemoteProtocolError) -> bool:
    return str(error).startswith("Server disconnected")
