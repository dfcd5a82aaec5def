"""Bound the websockets without a login: how many there may be, and how long they may stay.

The login is a websocket's first message, and Prefect waits for it forever: a client that opens many and
sends nothing uses up the server's memory and connections. Reads nothing; closes websockets that send nothing.
"""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from http import HTTPStatus

from starlette.types import Message, Receive, Send

from analytics_worker.server.request_rules import Refusal, Request

LIMIT = 20
SECONDS = 10.0
POLICY_VIOLATION = 1008


class SilentWebsockets:
    """The websockets of a server whose first message has not come yet."""

    def __init__(self) -> None:
        self._count = 0

    def refusal(self, request: Request) -> Refusal | None:
        """Return why one more must not wait; None if it may, or if it is not a websocket."""
        if not request.is_websocket or self._count < LIMIT:
            return None
        text = f"{LIMIT} websockets wait for their first message already; try again later."
        return Refusal("too many websockets without a login", HTTPStatus.SERVICE_UNAVAILABLE, text)

    @contextmanager
    def counted(self, receive: Receive, send: Send) -> Generator[Receive]:
        """Count a websocket until its first message comes, or its end; yields its new ``receive``."""
        first = _FirstMessage(self, receive, send)
        self._count += 1
        try:
            yield first
        finally:
            first.end()

    def leave(self) -> None:
        """Count one less: it has sent its message, or ended."""
        self._count -= 1


class _FirstMessage:
    """A websocket's ``receive`` that closes it when its first message does not come."""

    def __init__(self, websockets: SilentWebsockets, receive: Receive, send: Send) -> None:
        self._websockets = websockets
        self._receive = receive
        self._send = send
        self._waits = True

    async def __call__(self) -> Message:
        if not self._waits:
            return await self._receive()
        try:
            async with asyncio.timeout(SECONDS):
                message = await self._receive()
        except TimeoutError:
            return await self._close()
        if message["type"] != "websocket.connect":
            self.end()
        return message

    def end(self) -> None:
        """Give the place to another one."""
        if self._waits:
            self._waits = False
            self._websockets.leave()

    async def _close(self) -> Message:
        """Close it, and report to the application that the client has left."""
        reason = f"no message within {SECONDS:g} s"
        await self._send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": reason})
        return {"type": "websocket.disconnect", "code": POLICY_VIOLATION, "reason": reason}
