"""What dates of answers show of the difference of two clocks."""

import asyncio
import logging
import time
from collections.abc import Sequence
from email.utils import formatdate

import pytest
from prefect.client.orchestration import PrefectClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from analytics_worker.worker import server_clock
from analytics_worker.worker.server_clock import ServerClock

BEFORE_THE_STOP = 135


@pytest.fixture
def caplog(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(server_clock.logger, "propagate", True)
    monkeypatch.setattr(logging.getLogger("prefect"), "propagate", True)
    return caplog


def _ask(clock: ServerClock, *seconds_ago: float, answer_seconds: float = 0.0) -> None:
    """Get answers with these dates from a server."""
    asyncio.run(_get(clock, seconds_ago, answer_seconds))


async def _get(clock: ServerClock, seconds_ago: Sequence[float], answer_seconds: float) -> None:
    dates = [formatdate(time.time() - seconds, usegmt=True) for seconds in seconds_ago]

    async def health(_request: Request) -> JSONResponse:
        await asyncio.sleep(answer_seconds)
        return JSONResponse(True, headers={"date": dates.pop(0)})

    app = Starlette(routes=[Route("/api/health", health)])
    async with PrefectClient(api=app) as client:
        clock.follow(client)
        for _ in seconds_ago:
            await client.request("GET", "/health")


def test_the_date_of_before_a_stop_of_the_server_is_no_difference(
    caplog: pytest.LogCaptureFixture,
):
    clock = ServerClock()
    _ask(clock, 0, *[BEFORE_THE_STOP] * 4)
    assert clock.fits
    _ask(clock, 0)
    assert clock.fits
    assert not caplog.records


def test_nothing_is_claimed_after_a_first_answer_that_may_be_wrong_but_it_is_not_reported(
    caplog: pytest.LogCaptureFixture,
):
    clock = ServerClock()
    _ask(clock, *[BEFORE_THE_STOP] * 4)
    assert not clock.fits
    _ask(clock, 0)
    assert clock.fits
    assert not caplog.records


def test_two_dates_show_a_difference_for_certain(caplog: pytest.LogCaptureFixture):
    clock = ServerClock()
    _ask(clock, 136, BEFORE_THE_STOP)
    assert not clock.fits
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_an_answer_that_was_long_under_way_shows_nothing(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    clock = ServerClock()
    monkeypatch.setattr(server_clock, "QUICK_SECONDS", 0.01)
    _ask(clock, 136, BEFORE_THE_STOP, answer_seconds=0.05)
    assert clock.fits
    assert not caplog.records
