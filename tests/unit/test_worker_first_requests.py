"""A run's process asks the server for nothing that its worker has read, and for everything else."""

import asyncio
import inspect
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from prefect import results
from prefect.client.base import PrefectHttpxAsyncClient, PrefectHttpxSyncClient
from prefect.client.orchestration._flow_runs.client import FlowRunAsyncClient, FlowRunClient
from prefect.client.schemas.objects import FlowRun, ServerDefaultResultStorage
from prefect.settings import get_current_settings
from prefect.states import Pending, Running
from prefect.workers.base import BaseJobConfiguration

from analytics_worker.worker.fork_server import prefect_internals
from analytics_worker.worker.job import Job, _settings_as_variables
from analytics_worker.worker.server_facts import ServerFacts


class Asked(Exception):  # noqa: N818  # no error
    """The server is asked."""


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch):
    """Read a run as the engine does, after `answer_first_read`; `Asked` instead of a request."""

    def ask(*_: object) -> FlowRun:
        raise Asked

    async def ask_async(*_: object) -> FlowRun:
        raise Asked

    monkeypatch.setattr(FlowRunClient, "read_flow_run", ask)
    monkeypatch.setattr(FlowRunAsyncClient, "read_flow_run", ask_async)

    def begin(run: FlowRun, kind: str) -> FlowRun:
        if kind == "sync":
            return FlowRunClient.read_flow_run(None, run.id)  # pyright: ignore[reportArgumentType]
        return asyncio.run(FlowRunAsyncClient.read_flow_run(None, run.id))  # pyright: ignore[reportArgumentType]

    return begin


def claimed(**values: Any) -> FlowRun:
    known: dict[str, Any] = {"flow_id": uuid4(), "state": Pending(), "work_queue_name": "default"}
    return FlowRun(**{**known, **values})


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_the_state_that_the_server_returned_answers_the_first_read_and_no_other(read, kind):
    run = claimed()
    prefect_internals.answer_first_read(run, "v1")
    run.state = Running()
    now = read(run, kind)
    assert (now.id, now.state, now.state_id) == (run.id, run.state, run.state.id)
    assert now.flow_version == "v1"
    assert (now.run_count, now.start_time) == (1, run.state.timestamp)
    with pytest.raises(Asked):
        read(run, kind)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (claimed(), Pending()),
        (claimed(run_count=1), Running()),
        (claimed(empirical_policy={"resuming": True}), Running()),
        (claimed(work_queue_name=None), Running()),
    ],
    ids=["it is not Running", "it ran before", "it is resumed", "its queue is unknown"],
)
def test_the_server_is_asked_for_what_it_counts(read, before, after):
    prefect_internals.answer_first_read(before, None)
    before.state = after
    with pytest.raises(Asked):
        read(before, "sync")


def test_another_run_is_read_from_the_server(read):
    run = claimed()
    prefect_internals.answer_first_read(run, None)
    run.state = Running()
    with pytest.raises(Asked):
        read(claimed(), "sync")
    assert read(run, "sync").run_count == 1


@pytest.mark.parametrize("block", [None, uuid4()], ids=["none", "a block"])
def test_the_default_storage_is_the_one_that_the_worker_read(
    monkeypatch: pytest.MonkeyPatch, block: UUID | None
):
    names = (
        "_read_server_default_result_storage_block_id",
        "_aread_server_default_result_storage_block_id",
    )
    for name in names:
        monkeypatch.setattr(results, name, getattr(results, name))
    prefect_internals.assume_result_storage(block)
    assert getattr(results, names[0])() == block
    assert asyncio.run(getattr(results, names[1])()) == block


@pytest.mark.parametrize("kind", prefect_internals.HTTP_CLIENTS)
def test_no_client_asks_for_a_csrf_token(monkeypatch: pytest.MonkeyPatch, kind: Any):
    for client in prefect_internals.HTTP_CLIENTS:
        monkeypatch.setattr(client, "_add_csrf_headers", client._add_csrf_headers)
    prefect_internals.assume_no_csrf()
    sent: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.url.path)
        return httpx.Response(200)

    client = kind(
        transport=httpx.MockTransport(answer), base_url="http://test", enable_csrf_support=True
    )
    answered = client.post("/flow_runs/")
    if inspect.isawaitable(answered):
        asyncio.run(_wait_for(answered))
    assert sent == ["/flow_runs/"]


async def _wait_for(answer: Any) -> None:
    await answer


@pytest.mark.parametrize("kind", prefect_internals.HTTP_CLIENTS)
def test_a_first_request_is_repeated_while_the_server_restarts(
    monkeypatch: pytest.MonkeyPatch, kind: Any
):
    for client in prefect_internals.HTTP_CLIENTS:
        monkeypatch.setattr(client, "__init__", client.__init__)
    assert not kind()._has_connected
    prefect_internals.retry_first_requests()
    assert kind()._has_connected
    assert "if self._has_connected" in inspect.getsource(kind.send)


class Server:
    """What `ServerFacts` needs of Prefect's client, and of the one below it."""

    def __init__(self) -> None:
        self._client = self
        self.enable_csrf_support = False
        self.block: UUID | None = uuid4()
        self.is_up = True
        self.asked = 0

    async def read_server_default_result_storage(self) -> ServerDefaultResultStorage:
        self.asked += 1
        if not self.is_up:
            raise httpx.ConnectError("down")
        return ServerDefaultResultStorage(default_result_storage_block_id=self.block)


def test_the_default_storage_is_read_once_a_minute(monkeypatch: pytest.MonkeyPatch):
    now = 1000.0
    monkeypatch.setattr("analytics_worker.worker.server_facts.time.monotonic", lambda: now)
    server, facts = Server(), ServerFacts()
    client: Any = server
    for _ in range(3):
        asyncio.run(facts.refresh(client))
    assert (server.asked, facts.known(client).get("result_storage", "unknown")) == (
        1,
        str(server.block),
    )
    server.block, now = None, now + 61
    asyncio.run(facts.refresh(client))
    assert (server.asked, facts.known(client).get("result_storage", "unknown")) == (2, None)


def test_what_could_not_be_read_is_left_to_the_run():
    server, facts = Server(), ServerFacts()
    client: Any = server
    server.is_up = False
    asyncio.run(facts.refresh(client))
    assert facts.known(client) == {"csrf": False}
    server.is_up = True
    asyncio.run(facts.refresh(client))
    assert facts.known(client).get("result_storage", "unknown") == str(server.block)


def test_the_settings_of_a_job_are_prefect_s():
    _settings_as_variables.cache_clear()  # of another test's server
    expected = get_current_settings().to_environment_variables(exclude_unset=True)
    assert Job._base_environment() == expected == BaseJobConfiguration._base_environment()
    Job._base_environment()["PREFECT_API_URL"] = "http://changed"
    assert Job._base_environment() == expected


def test_the_models_of_a_run_are_complete_before_it_is_forked():
    prefect_internals.prepare_first_uses()
    assert all(model.__pydantic_complete__ for model in prefect_internals.MODELS)


def test_both_kinds_of_clients_are_changed():
    assert set(prefect_internals.HTTP_CLIENTS) == {PrefectHttpxSyncClient, PrefectHttpxAsyncClient}
