"""A proxy that answers with a page in place of the API: the worker's parts say so, and ask it less and less often."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_CLIENT_CSRF_SUPPORT_ENABLED,
    temporary_settings,
)

from analytics_worker.process_identity import NameLock
from analytics_worker.worker import recovery as recovery_module
from analytics_worker.worker import restart_on_error as restart_module
from analytics_worker.worker.foreign_answers import refuse_foreign_answers
from analytics_worker.worker.recovery import Recovery
from analytics_worker.worker.restart_on_error import restart_on_error
from analytics_worker.worker.run_executor import RunExecutor
from analytics_worker.worker.worker_identity import WorkerIdentity
from tests.support.fixed_answer import PAGE, FixedAnswer

EXPLANATION = "is answered with text/html in place of JSON: a proxy or a login page answers"


class Pauses:
    """The worker's pauses, which pass at once; with what happens in them, by their number."""

    def __init__(self) -> None:
        """Nothing happens in any."""
        self.seconds: list[float] = []
        self.events: dict[int, Callable[[], object]] = {}
        self._sleep = asyncio.sleep

    async def pass_at_once(self, seconds: float) -> None:
        """Stand in for `asyncio.sleep`."""
        self.seconds.append(seconds)
        self.events.get(len(self.seconds), lambda: None)()
        await self._sleep(0)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Pauses:
    found = Pauses()
    monkeypatch.setattr(asyncio, "sleep", found.pass_at_once)
    return found


@pytest.fixture
def caplog(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch):
    for logger in (recovery_module.logger, restart_module.logger, logging.getLogger("prefect")):
        monkeypatch.setattr(logger, "propagate", True)
    return caplog


async def read_pools(client: PrefectClient) -> None:
    await client.read_work_pools()


def run(proxy: FixedAnswer, work: Callable[[PrefectClient], Any]) -> None:
    """Let work go on until it is cancelled."""

    async def connect() -> None:
        chosen: dict[Any, Any] = {
            PREFECT_API_URL: proxy.api_url,
            PREFECT_CLIENT_CSRF_SUPPORT_ENABLED: False,
        }
        with temporary_settings(chosen):
            async with get_client() as client:
                refuse_foreign_answers(client)
                await asyncio.gather(work(client), return_exceptions=True)

    asyncio.run(connect())


def stop() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()


def recovery(client: PrefectClient, folder: Path) -> Recovery:
    lock = NameLock(folder / "me.lock")
    assert lock.acquire()
    executor = cast("RunExecutor", SimpleNamespace(client=client))
    return Recovery(executor, folder, WorkerIdentity(lock), ["p"], lambda _: False)


def test_recovery_looks_less_often_and_as_often_as_before_once_the_api_answers(
    tmp_path: Path, pauses: Pauses, caplog: pytest.LogCaptureFixture
):
    with FixedAnswer() as proxy:

        def answer(kind: str, body: bytes) -> None:
            proxy.kind, proxy.body = kind, body

        pauses.events = {
            5: lambda: answer("application/json", b"[]"),
            6: lambda: answer("text/html", PAGE),
            7: stop,
        }
        run(proxy, lambda client: recovery(client, tmp_path).watch())
    assert pauses.seconds == [2, 4, 8, 15, 15, 15, 2]
    assert len(caplog.records) == 6
    assert all(EXPLANATION in record.message for record in caplog.records)
    assert "abandoned runs" in caplog.records[0].message


def test_a_part_of_the_worker_is_started_again_less_often(
    pauses: Pauses, caplog: pytest.LogCaptureFixture
):
    with FixedAnswer() as proxy:
        pauses.events = {7: stop}
        run(proxy, lambda client: restart_on_error("the part", partial(read_pools, client)))
    assert pauses.seconds == [5, 10, 20, 40, 60, 60, 60]
    assert len(caplog.records) == 7
    for record in caplog.records:
        assert record.message.startswith("the part failed and is started again: The Prefect API ")
        assert EXPLANATION in record.message
        assert record.exc_info is None


def test_a_refused_login_is_not_said_to_be_an_api_that_does_not_answer(
    pauses: Pauses, caplog: pytest.LogCaptureFixture
):
    with FixedAnswer(401, "application/json", b"{}") as server:
        pauses.events = {1: stop}
        run(server, lambda client: restart_on_error("the part", partial(read_pools, client)))
        url = server.api_url
    (record,) = caplog.records
    expected = f"The Prefect API {url} requires a login: set PREFECT_API_AUTH_STRING=user:password."
    assert record.message == f"the part failed and is started again: {expected}"
