"""Prefect's checks of each request without a task, two streams and a copy of the response for each of them.

Prefect has three: the login, the type of a body, and the token against foreign pages (CSRF), which it reads from the database
for each write. Each either answers itself or passes the request on as it is, so the request is passed on directly
here, and a token that was read is accepted again until it expires. Changes the application's list of middleware before it is used.
"""

import hmac
from collections import OrderedDict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Protocol, cast

from fastapi import FastAPI
from prefect.server.api.middleware import CsrfMiddleware
from prefect.server.models import csrf_token
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from typing_extensions import override

PREFECT_CHECKS = frozenset({"default_content_type", "token_validation"})
"""Those of the API that are functions."""
MAX_TOKENS = 1_000
PASSED_ON = Response()
"""What a check gets for a request that it passes on; the application has answered it by then."""


class DirectMiddleware(BaseHTTPMiddleware):
    """A check that returns what ``call_next`` returns, or a response of its own."""

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the request, and pass it on in the same task."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def pass_on(_: Request) -> Response:
            await self.app(scope, receive, send)
            return PASSED_ON

        response = await self.dispatch_func(Request(scope, receive), pass_on)
        if response is not PASSED_ON:
            await response(scope, receive, send)


class Token(Protocol):
    """What Prefect reads."""

    token: str
    expiration: datetime


class TokenCache:
    """The tokens of the clients that wrote last."""

    def __init__(self) -> None:
        self._tokens: OrderedDict[str, Token] = OrderedDict()

    async def read(self, *, session: Any, client: str) -> Any:
        """Read a token as Prefect does, and keep it."""
        token = await _read_token(session=session, client=client)
        if token is not None:
            self._tokens[client] = cast("Token", token)
            self._tokens.move_to_end(client)
            if len(self._tokens) > MAX_TOKENS:
                self._tokens.popitem(last=False)
        return token

    def accepts(self, client: str, token: str) -> bool:
        """Whether it is the one that was read, and has not expired."""
        known = self._tokens.get(client)
        if known is None or known.expiration <= datetime.now(UTC):
            return False
        return hmac.compare_digest(known.token.encode(), token.encode())


class CachingCsrfMiddleware(DirectMiddleware, CsrfMiddleware):
    """Prefect's, which reads a token only if it is not known."""

    @override
    async def dispatch(self, request: Request, call_next: Any) -> Response:
        """Pass a known token on; leave all else, refusals included, to Prefect."""
        headers = request.headers
        client, token = headers.get("Prefect-Csrf-Client"), headers.get("Prefect-Csrf-Token")
        if client and token and _cache.accepts(client, token):
            return await call_next(request)
        return await super().dispatch(request, call_next)


_read_token = csrf_token.read_token_for_client
_cache = TokenCache()


def check_directly(app: FastAPI, api: FastAPI) -> None:
    """Replace Prefect's checks in the application and in its API."""
    csrf_token.read_token_for_client = _cache.read
    app.user_middleware = list(_directly(app.user_middleware))
    api.user_middleware = list(_directly(api.user_middleware))


def _directly(middleware: Iterable[Middleware]) -> Iterable[Middleware]:
    for each in middleware:
        dispatch: Any = each.kwargs.get("dispatch")
        if each.cls is CsrfMiddleware:
            yield Middleware(CachingCsrfMiddleware)
        elif each.cls is BaseHTTPMiddleware and dispatch.__name__ in PREFECT_CHECKS:
            yield Middleware(DirectMiddleware, dispatch=dispatch)
        else:
            yield each
