"""Prefect's checks of requests, passed on directly: they answer as before, and tokens are read once."""

import asyncio
import inspect
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from prefect.server.api.middleware import CsrfMiddleware
from prefect.server.api.server import create_app
from prefect.server.models import csrf_token
from prefect.server.schemas.core import CsrfToken
from prefect.settings import (
    PREFECT_SERVER_API_AUTH_STRING,
    PREFECT_SERVER_CSRF_PROTECTION_ENABLED,
    temporary_settings,
)
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from analytics_worker.server import direct_middleware
from analytics_worker.server.direct_middleware import DirectMiddleware, TokenCache, check_directly


@pytest.fixture(autouse=True)
def _prefect_reads_tokens(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(csrf_token, "read_token_for_client", csrf_token.read_token_for_client)


SESSION = object()


async def login(request: Request, call_next: Any) -> Response:
    if request.headers.get("Authorization") != "Basic open":
        return PlainTextResponse("no", status_code=HTTPStatus.UNAUTHORIZED)
    return await call_next(request)


def post(**headers: str) -> httpx.Response:
    """Send a body to an application whose only check is the login."""
    app = FastAPI(middleware=[Middleware(DirectMiddleware, dispatch=login)])

    @app.post("/echo")
    async def echo(request: Request) -> Response:
        return PlainTextResponse(await request.body(), headers={"X-Seen": "1"})

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.post("/echo", content=b"hello", headers=headers)

    return asyncio.run(send())


def test_a_request_that_passes_is_answered_by_the_application_only():
    answer = post(Authorization="Basic open")
    assert (answer.status_code, answer.text) == (HTTPStatus.OK, "hello")
    assert answer.headers.get_list("X-Seen") == ["1"]


def test_a_request_that_is_refused_does_not_reach_the_application():
    answer = post()
    assert (answer.status_code, answer.text) == (HTTPStatus.UNAUTHORIZED, "no")
    assert "X-Seen" not in answer.headers


def cache_of(monkeypatch: pytest.MonkeyPatch, *clients: str, valid_for: timedelta) -> TokenCache:
    """Read the tokens of some clients; bob has none."""
    expiration = datetime.now(UTC) + valid_for

    async def read(*, session: object, client: str) -> CsrfToken | None:
        assert session is SESSION
        token = {"token": f"{client}'s", "client": client, "expiration": expiration}
        return None if client == "bob" else CsrfToken.model_validate(token)

    async def read_all() -> None:
        for client in clients:
            await cache.read(session=SESSION, client=client)

    monkeypatch.setattr(direct_middleware, "_read_token", read)
    cache = TokenCache()
    asyncio.run(read_all())
    return cache


def test_only_a_token_that_was_read_is_accepted(monkeypatch: pytest.MonkeyPatch):
    cache = cache_of(monkeypatch, "ann", "bob", valid_for=timedelta(hours=1))
    assert cache.accepts("ann", "ann's")
    refused = [("ann", "Ann's"), ("ann", "é"), ("ann", ""), ("bob", "bob's"), ("eve", "eve's")]
    assert not any(cache.accepts(*pair) for pair in refused)


def test_an_expired_token_is_not_accepted(monkeypatch: pytest.MonkeyPatch):
    cache = cache_of(monkeypatch, "ann", valid_for=timedelta(seconds=-1))
    assert not cache.accepts("ann", "ann's")


def test_the_tokens_that_are_kept_are_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(direct_middleware, "MAX_TOKENS", 2)
    cache = cache_of(monkeypatch, "a", "b", "c", valid_for=timedelta(hours=1))
    assert [cache.accepts(client, f"{client}'s") for client in "abc"] == [False, True, True]


def test_every_check_of_prefect_passes_requests_on_as_they_are():
    chosen: dict[Any, Any] = {
        PREFECT_SERVER_API_AUTH_STRING: "admin:secret",
        PREFECT_SERVER_CSRF_PROTECTION_ENABLED: True,
    }
    with temporary_settings(chosen):
        app = create_app(ignore_cache=True)
        api: FastAPI = app.api_app  # type: ignore[attr-defined]
        functions: list[Any] = [
            each.kwargs["dispatch"]
            for each in api.user_middleware
            if each.cls is BaseHTTPMiddleware
        ]
        check_directly(app, api)
        check_directly(app, api)
    assert {each.__name__ for each in functions} == direct_middleware.PREFECT_CHECKS
    for check in [*functions, CsrfMiddleware.dispatch]:
        assert inspect.getsource(check).rstrip().endswith("return await call_next(request)")
    left = [each.cls for each in (*app.user_middleware, *api.user_middleware)]
    assert not {BaseHTTPMiddleware, CsrfMiddleware}.intersection(left)
    assert left.count(DirectMiddleware) == len(functions)
