"""Let Prefect's limit of concurrent requests count the API's requests only, and only after the login.

On SQLite, Prefect answers a hundred requests at a time, and counts everything among them before it asks
for a login: a websocket for as long as it is open, and a file of the UI until its last byte was taken.
A client that opens a hundred and waits stops the API for all. Reads nothing; changes the application's list of
middleware before it is used. Safe to repeat.
"""

from typing import Any

from fastapi import FastAPI
from prefect.server.api.server import RequestLimitMiddleware
from starlette.middleware import Middleware
from starlette.types import Receive, Scope, Send
from typing_extensions import override


class ApiRequestLimit(RequestLimitMiddleware):
    """Prefect's limit for http."""

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait for a place, unless it is a websocket: they stay for hours."""
        if scope["type"] == "http":
            await super().__call__(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def limit_api_requests(app: FastAPI, api: FastAPI) -> None:
    """Move the limit, if there is one, from the whole application to the inside of its API."""
    for middleware in [each for each in app.user_middleware if each.cls is RequestLimitMiddleware]:
        app.user_middleware.remove(middleware)
        limit: Any = middleware.kwargs["limit"]
        api.user_middleware.append(Middleware(ApiRequestLimit, limit=limit))
