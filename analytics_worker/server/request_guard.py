"""Refuse unpermitted requests before they reach Prefect's application.

Outermost ASGI middleware for http and websockets. Reads the head of each request and passes
bodies on unread. Closes websockets that send nothing (server/websocket_login_limits.py). Writes a line
to the log once a minute for each kind of refusal, headers that keep the server's pages out of
other pages' frames, and the name of the stack.
"""

import json
import logging
import time
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from analytics_worker.server.request_rules import PROBE, Refusal, Request, Rules
from analytics_worker.server.websocket_login_limits import POLICY_VIOLATION, SilentWebsockets
from analytics_worker.stack_address import STACK_HEADER

LOG_AGAIN_SECONDS = 60.0
OWN_HEADERS = [
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
]
logger = logging.getLogger(__name__)


class RequestGuard:
    """Prefect's application, for those who may use it."""

    def __init__(self, app: ASGIApp, rules: Rules, stack_id: str = "") -> None:
        self._app = app
        self._rules = rules
        named = [(STACK_HEADER.encode(), stack_id.encode())] if stack_id else []
        self._headers = [*OWN_HEADERS, *named]
        self._silent = SilentWebsockets()
        self._log = RefusalLog()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or pass it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        request, sending = Request(scope), _with_headers(send, self._headers)
        refusal = self._rules.refusal(request) or self._silent.refusal(request)
        if refusal:
            self._log(refusal)
            await _refuse(refusal, scope, receive, sending)
        elif request.is_websocket:
            with self._silent.counted(receive, sending) as first:
                await self._app(scope, first, sending)
        else:
            await self._app(scope, receive, sending)


class RefusalLog:
    """One line a minute for each kind: thousands of requests must not fill the disk."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._logged_at: dict[str, float] = {}
        self._unlogged: dict[str, int] = {}

    def __call__(self, refusal: Refusal) -> None:
        """Log the refusal, or count it."""
        if refusal.kind == PROBE:
            logger.debug("Refused a request of doctor, as it expects")
            return
        kind, now = refusal.kind, self._clock()
        if now - self._logged_at.get(kind, -LOG_AGAIN_SECONDS) < LOG_AGAIN_SECONDS:
            self._unlogged[kind] = self._unlogged.get(kind, 0) + 1
            return
        self._logged_at[kind] = now
        missed = self._unlogged.pop(kind, 0)
        more = f" ({missed} more since the last such line)" if missed else ""
        logger.warning("Refused a request, %s%s: %s", kind, more, refusal.message)


async def _refuse(refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the reason; a websocket without support for that is only closed."""
    websocket = scope["type"] == "websocket"
    if websocket:
        await receive()  # websocket.connect
    if websocket and "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": refusal.kind})
        return
    kind = "websocket.http.response" if websocket else "http.response"
    body = json.dumps({"detail": refusal.message}).encode()
    await send({"type": f"{kind}.start", "status": refusal.status, "headers": _headers(body)})
    await send({"type": f"{kind}.body", "body": body, "more_body": False})


def _headers(body: bytes) -> list[tuple[bytes, bytes]]:
    return [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),  # the body was not read
    ]


def _with_headers(send: Send, own: list[tuple[bytes, bytes]]) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] in {"http.response.start", "websocket.http.response.start"}:
            headers: list[Any] = [*message.get("headers", []), *own]
            message = {**message, "headers": headers}
        await send(message)

    return sending
