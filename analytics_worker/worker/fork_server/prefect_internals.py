# pyright: reportPrivateUsage=false
"""Let a run's process ask the server for nothing that its worker has just read.

Prefect's engine reads the run before it starts and again when it is Running, the server's version, its default
storage of results, and for each client whether requests need a CSRF token. Each costs a short run 3 to 10 ms.
Private names of Prefect, as in `analytics_worker.worker.prefect_internals`. Writes nothing.
"""

import io
import logging
import os
from collections.abc import Callable
from pkgutil import resolve_name
from typing import Any
from uuid import UUID

import httpx
import prefect
from prefect import results
from prefect._internal.version_checking import _api_version_check_key, _cache_api_version_check
from prefect.client.base import PrefectHttpxAsyncClient, PrefectHttpxSyncClient
from prefect.client.orchestration._flow_runs.client import FlowRunAsyncClient, FlowRunClient
from prefect.client.schemas.objects import FlowRun
from prefect.logging.handlers import PrefectConsoleHandler
from prefect.settings import get_current_settings

from analytics_worker.preload.libraries import RUN_MODELS

MODELS = tuple(map(resolve_name, RUN_MODELS))
HTTP_CLIENTS = (PrefectHttpxSyncClient, PrefectHttpxAsyncClient)


def prepare_first_uses() -> None:
    """Build what is built at its first use, once for all runs: validators of models, patterns of log lines."""
    for model in MODELS:
        model.model_rebuild()
    record = logging.LogRecord("prefect", logging.INFO, "", 0, "Finished in state 1", None, None)
    PrefectConsoleHandler(io.StringIO()).emit(record)


def retry_first_requests() -> None:
    """Let each client of this process wait for a server that restarts.

    Prefect does not repeat the first request of a client: the address may be wrong. The worker has reached it.
    """
    for client in HTTP_CLIENTS:
        client.__init__ = _connected(client.__init__)


def _connected(initialize: Callable[..., None]) -> Callable[..., None]:
    def initialize_connected(client: Any, *args: Any, **options: Any) -> None:
        initialize(client, *args, **options)
        client._has_connected = True  # noqa: SLF001

    return initialize_connected


def assume_version() -> None:
    """Take the server's version for compatible: the worker has checked it."""
    url = str(get_current_settings().api.url).rstrip("/")
    for form in (url, f"{url}/"):
        _cache_api_version_check(_api_version_check_key(form, prefect.__version__))


def assume_no_csrf() -> None:
    """Ask for no token: the server has answered the worker that requests need none."""

    def add_nothing(self: PrefectHttpxSyncClient, request: httpx.Request) -> None: ...

    async def add_nothing_either(self: PrefectHttpxAsyncClient, request: httpx.Request) -> None: ...

    PrefectHttpxSyncClient._add_csrf_headers = add_nothing  # noqa: SLF001
    PrefectHttpxAsyncClient._add_csrf_headers = add_nothing_either  # noqa: SLF001


def assume_result_storage(block: UUID | None) -> None:
    """Take this block for the server's default storage of results; None: it has none."""

    async def read() -> UUID | None:
        return block

    results._read_server_default_result_storage_block_id = lambda: block  # noqa: SLF001
    results._aread_server_default_result_storage_block_id = read  # noqa: SLF001


def name_at_start(flow: Any, flow_run: FlowRun) -> str:
    """Return the name of the run; send it with a request of the engine, which would send one more for it.

    Names of this project are recognized by their method, because their class may have been imported again.

    Args:
        flow: Any flow.
        flow_run: The run as it was claimed.
    """
    of_run = getattr(getattr(flow, "flow_run_name", None), "of_run", None)
    if of_run is None:
        return flow_run.name
    flow.flow_run_name = None
    name: str = of_run(flow_run)
    if name != flow_run.name:
        _send_name(flow_run, name)
    return name


def _send_name(flow_run: FlowRun, name: str) -> None:
    """Add the name to the engine's first change of the run, before it is Running."""
    update = FlowRunClient.update_flow_run

    def update_flow_run(self: FlowRunClient, flow_run_id: UUID, **changes: Any) -> httpx.Response:
        FlowRunClient.update_flow_run = update
        flow_run.name = name
        return update(self, flow_run_id, name=name, **changes)

    FlowRunClient.update_flow_run = update_flow_run  # pyright: ignore[reportAttributeAccessIssue]  # the engine names what it changes


def answer_first_read(flow_run: FlowRun, version: str | None) -> None:
    """Answer the engine's read of a run that has just become Running, once, from the state that the server returned.

    Only at its first start: what the server counts when a run continues only the server knows. And only if the
    worker knows the name of its queue, which is not part of what the queue hands out.

    Args:
        flow_run: The run as it was claimed; the engine changes it.
        version: The version of its flow, which the engine reports.
    """
    if flow_run.run_count or flow_run.empirical_policy.resuming or not flow_run.work_queue_name:
        return
    unread = [flow_run]
    read, read_async = FlowRunClient.read_flow_run, FlowRunAsyncClient.read_flow_run

    def read_flow_run(self: FlowRunClient, flow_run_id: UUID) -> FlowRun:
        return _running(unread, flow_run_id, version) or read(self, flow_run_id)

    async def read_flow_run_async(self: FlowRunAsyncClient, flow_run_id: UUID) -> FlowRun:
        return _running(unread, flow_run_id, version) or await read_async(self, flow_run_id)

    FlowRunClient.read_flow_run = read_flow_run
    FlowRunAsyncClient.read_flow_run = read_flow_run_async


def _running(unread: list[FlowRun], run: UUID, version: str | None) -> FlowRun | None:
    """Return the run as the server has it now; None if it has been returned, or is not Running."""
    if not unread or unread[0].id != run:
        return None
    flow_run = unread.pop()
    state = flow_run.state
    if state is None or not state.is_running():
        return None
    known = {
        "state_id": state.id,
        "flow_version": version,
        "run_count": 1,
        "start_time": state.timestamp,
        "next_scheduled_start_time": None,
        "infrastructure_pid": str(os.getpid()),
    }
    return flow_run.model_copy(update=known)
