"""Posting JSON to web hooks: signed, on kept connections, never into the network by accident.

Reads ``WEBHOOK_*`` settings; writes nothing but requests. Repeating a request is safe as far as the
receiver removes duplicates by ``Idempotency-Key``, which the caller chooses and keeps.
::

    with webhook_session(url, secret) as session:
        outcome = session.post({"status": "firing"}, key="a-3f9c")

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
Several threads may share a session. Nothing is raised for what a server does: `SendResult` says it, and
never with more of the address than scheme and host, because the rest is often a password.
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

from analytics_worker.errors import PermanentError
from analytics_worker.send_result import SENT, SendResult, permanent, temporary, unreachable
from analytics_worker.settings import settings
from analytics_worker.telemetry import timed_request
from analytics_worker.transport.address_filter import AllowList, configured_allow_list
from analytics_worker.transport.http_answer import read_answer, retry_after
from analytics_worker.transport.http_backend import CheckedBackend, Deadline
from analytics_worker.transport.tls import trust
from analytics_worker.transport.webhook_url import Target, parse_url

IDLE_SECONDS = 15
TRY_LATER = frozenset({408, 425, 429})

_TELLING = re.compile(r"[A-Za-z0-9_ .,:;'-]{1,100}")  # short words, as Slack answers
_KEY = re.compile(r"[!-~]{1,500}")  # what a header can carry
_TOKENS = re.compile(r"[^/?&=]{4,}")


def sign(secret: str, key: str, timestamp: int, body: bytes) -> str:
    """The ``webhook-signature`` of a message."""
    if secret.startswith("whsec_"):
        signing_key = base64.b64decode(secret.removeprefix("whsec_"))
    else:
        signing_key = secret.encode()
    digest = hmac.digest(signing_key, f"{key}.{timestamp}.".encode() + body, "sha256")
    return f"v1,{base64.b64encode(digest).decode()}"


@contextmanager
def webhook_session(
    url: SecretStr,
    secret: SecretStr | None = None,
    *,
    connections: int = 4,
    timeout_seconds: float | None = None,
) -> Generator["WebhookSession"]:
    """Post to one address on connections that are opened when needed and kept.

    Raises:
        PermanentError: the address or OUTBOUND_ALLOWED_HOSTS can't be used.
    """
    # At DEBUG it logs the answer's headers, and a redirect repeats the address.
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
        """Prepare; nothing is opened."""
        self.target = target
        self._secret = secret
        self._timeout = timeout_seconds
        self._deadline = Deadline()
        self._pool = httpcore.ConnectionPool(
            ssl_context=trust() if target.scheme == "https" else None,
            max_connections=connections,
            keepalive_expiry=IDLE_SECONDS,
            network_backend=CheckedBackend(allowed, self._deadline),
        )

    def __enter__(self) -> Self:
        """Use as a context."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._pool.close()

    @timed_request("webhook")
    def post(self, body: Mapping[str, Any], key: str) -> SendResult:
        """Post one message; ``key`` names it in all its attempts."""
        data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
        try:
            return self._post(data, self._headers(key, data))
        except PermanentError as error:
            return permanent(f"{self.target}: {error}")
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
            return self._verdict(response, read_answer(response))

    def _verdict(self, response: httpcore.Response, answer: bytes) -> SendResult:
        status = response.status
        said = f"{self.target} answered {status}{self._telling(answer)}"
        match status // 100:
            case 2:
                return SENT
            case 3:
                return permanent(f"{said}; redirects are not followed", code=status)
            case 4 if status not in TRY_LATER:
                return permanent(said, code=status)
            case _:
                later = temporary(said, code=status, outage=status not in TRY_LATER)
                return replace(later, retry_after_seconds=retry_after(response))

    def _telling(self, answer: bytes) -> str:
        """The answer, if it is a few plain words and no part of the address among them."""
        words = answer.decode(errors="replace").strip()
        parts = _TOKENS.findall(self.target.path)
        if not _TELLING.fullmatch(words) or any(part in words for part in parts):
            return ""
        return f": {words}"


def _reason(error: Exception) -> str:
    if isinstance(error, httpcore.TimeoutException):
        return "no answer in time"
    if isinstance(error, httpcore.RemoteProtocolError) and not _closed_early(error):
        return "the answer is not HTTP"  # the error quotes it: the greeting of another service
    return str(error) or type(error).__name__


def _closed_early(error: httpcore.RemoteProtocolError) -> bool:
    return str(error).startswith("Server disconnected")
