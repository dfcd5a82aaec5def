"""A page that answers in place of the Prefect API fails a request as an outage does."""

import asyncio

import httpx
import pytest
from prefect.client.orchestration import PrefectClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from analytics_worker.worker.foreign_answers import refuse_foreign_answers


async def _ask(answer: Response) -> httpx.Response:
    async def respond(_request: Request) -> Response:
        return answer

    app = Starlette(routes=[Route("/api/health", respond)])
    async with PrefectClient(api=app) as client:
        refuse_foreign_answers(client)
        return await client.request("GET", "/health")


def test_a_page_is_named():
    with pytest.raises(httpx.HTTPError, match=r"answered with text/html.* in place of JSON"):
        asyncio.run(_ask(HTMLResponse("<html>Please log in</html>")))


@pytest.mark.parametrize("answer", [JSONResponse(True), Response(status_code=204)])
def test_answers_of_the_api_are_passed_on(answer: Response):
    assert asyncio.run(_ask(answer)).is_success
