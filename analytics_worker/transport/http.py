"""Post to the API of a service on kept connections, and read its response.

Reads ``WEBHOOK_*`` settings; writes nothing but requests. As for webhooks, the address is checked when
it is connected to, the whole request has a deadline, redirects are not followed, and results contain
only the scheme and host of the address, because paths and headers hold tokens. Whether a request may be
repeated depends on the service.
::

    with http_session("https://api.example.com") as session:
        response = session.post_json("/v2/alerts", {"message": "…"}, {"Authorization": "…"})

Several threads may share a session.
"""

import json
import logging
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple, Self

import httpcore

from analytics_worker.errors import PermanentError
from analytics_worker.send_result import (
    SENT,
    SendResult,
    permanent,
    rate_limited,
    refused,
    temporary,
    unreachable,
)
from analytics_worker.settings import settings
from analytics_worker.transport.address_filter import AllowList, parse_allow_list
from analytics_worker.transport.http_backend import IDLE_SECONDS, CheckedBackend, RequestDeadline
from analytics_worker.transport.http_response import (
    RETRYABLE_STATUSES,
    read_body,
    retry_after_seconds,
)
from analytics_worker.transport.tls import default_ssl_context
from analytics_worker.transport.webhook_url import Target, parse_url

SLOWEST_BYTES_PER_SECOND = 64 * 1024  # large files get more time than small messages
DEFAULT_PAUSE_SECONDS = 30.0
TOO_MANY_REQUESTS = 429
UNAUTHORIZED = frozenset({401, 403})
MISSING = frozenset({404, 410})

Headers = Mapping[str, str]


class HttpResponse(NamedTuple):
    """The response of a service."""

    status: int
    body: bytes
    retry_after_seconds: float
    origin: str
    """Scheme and host, as messages name the service."""

    @property
    def succeeded(self) -> bool:
        """Whether the status is 2xx."""
        return self.status // 100 == 2  # noqa: PLR2004

    def fields(self) -> dict[str, Any]:
        """Return the JSON object of the body; empty if it is something else."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    def result(self, reason: str = "") -> SendResult:
        """Return the result by the status alone; ``reason`` is the service's text without secrets."""
        detail = f"{self.origin} answered {self.status}{f': {reason}' if reason else ''}"
        if self.succeeded:
            return SENT
        if self.status == TOO_MANY_REQUESTS:
            return rate_limited(detail, self.retry_after_seconds or DEFAULT_PAUSE_SECONDS)
        if self.status in RETRYABLE_STATUSES or self.status >= 500:  # noqa: PLR2004
            later = temporary(
                detail, code=self.status, outage=self.status not in RETRYABLE_STATUSES
            )
            return replace(later, retry_after_seconds=self.retry_after_seconds)
        return permanent(detail, code=self.status)

    def refused_credentials(self, fix: str) -> SendResult:
        """Return that the channel needs a fix; the message waits for it and no attempt is counted."""
        return unreachable(f"{self.origin} refuses the credentials: {fix}", code=self.status)


@contextmanager
def http_session(base_url: str, *, connections: int = 2) -> Generator["HttpSession"]:
    """Open connections to a service when they are needed, and keep them.

    Raises:
        PermanentError: the address or OUTBOUND_ALLOWED_HOSTS can't be used.
    """
    logging.getLogger("httpcore").setLevel(logging.INFO)  # at DEBUG it logs headers
    allowed = parse_allow_list(settings().outbound_allowed_hosts)
    timeout = settings().webhook_timeout_seconds
    with HttpSession(parse_url(base_url), allowed, connections, timeout) as session:
        yield session


class HttpSession:
    """Kept connections to one service, and to what it refers to."""

    def __init__(
        self, base: Target, allowed: AllowList, connections: int, timeout_seconds: float
    ) -> None:
        self._base = base
        self._timeout = timeout_seconds
        self._deadline = RequestDeadline()
        self._pool = httpcore.ConnectionPool(
            ssl_context=default_ssl_context(),
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

    def post_json(
        self, path: str, body: Mapping[str, Any], headers: Headers | None = None
    ) -> HttpResponse | SendResult:
        """Post a JSON object below the base address."""
        content_type = {"Content-Type": "application/json; charset=utf-8"}
        return self.post(path, json_bytes(body), {**content_type, **(headers or {})})

    def post(self, path: str, body: bytes, headers: Headers) -> HttpResponse | SendResult:
        """Post bytes below the base address."""
        return self._send(self._base._replace(path=path), [body], len(body), headers)

    def post_stream(
        self, path: str, body: Iterable[bytes], size: int, headers: Headers
    ) -> HttpResponse | SendResult:
        """Post ``size`` bytes below the base address without holding them in memory."""
        return self._send(self._base._replace(path=path), body, size, headers)

    def upload(self, url: str, body: Iterable[bytes], size: int) -> HttpResponse | SendResult:
        """Post a file to an address that the service returned, with the same checks."""
        try:
            target = parse_url(url)
        except PermanentError:
            return temporary(f"{self._base} returned no upload address", outage=True)
        result = self._send(target, body, size, {"Content-Type": "application/octet-stream"})
        # The service chose this address, so the configuration of the channel is not the fault.
        return (
            permanent(result.detail)
            if isinstance(result, SendResult) and result.status == "not_configured"
            else result
        )

    def _send(
        self, target: Target, body: Iterable[bytes], size: int, headers: Headers
    ) -> HttpResponse | SendResult:
        try:
            return self._exchange(target, body, size, headers)
        except PermanentError as error:
            return refused(error, target)
        except (httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.PoolTimeout) as error:
            return unreachable(f"{target}: {_reason(error)}")
        except httpcore.LocalProtocolError:
            return permanent(f"{target}: the request can't be written as HTTP")
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
            return temporary(f"{target}: {_reason(error)}", outage=True)
        except OSError as error:  # the file that is sent
            return temporary(f"the file can't be read: {error.strerror}")

    def _exchange(
        self, target: Target, body: Iterable[bytes], size: int, headers: Headers
    ) -> HttpResponse:
        seconds = self._timeout + size / SLOWEST_BYTES_PER_SECOND
        self._deadline.start(seconds)
        url = httpcore.URL(
            scheme=target.scheme, host=target.host, port=target.port, target=target.path
        )
        all_headers = _ascii({"User-Agent": "analytics-worker", **headers}, size)
        limits = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), seconds)}
        with self._pool.stream(
            "POST", url, headers=all_headers, content=iter(body), extensions=limits
        ) as response:
            pause = retry_after_seconds(response)
            return HttpResponse(response.status, read_body(response), pause, str(target))


def json_bytes(body: Mapping[str, Any]) -> bytes:
    """Encode as JSON in UTF-8."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def _ascii(headers: Headers, size: int) -> list[tuple[bytes, bytes]]:
    all_headers = {**headers, "Content-Length": str(size)}
    return [
        (name.encode(), value.encode("ascii", "replace")) for name, value in all_headers.items()
    ]


def _reason(error: Exception) -> str:
    if isinstance(error, httpcore.TimeoutException):
        return "no answer in time"
    return str(error) or type(error).__name__
