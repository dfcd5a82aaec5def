"""Submit a run of a flow from any Python process, and wait for its result.

``run = submit(refresh_materialized_views, view_names=["pipeline_kpis"])`` returns at once.
``run.get(timeout=300)`` waits for the result. Reads and writes the Prefect API only.
"""

import math
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, cast
from uuid import UUID

import httpx
from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import State
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.settings import get_current_settings
from prefect.states import Cancelling
from prefect.utilities.callables import get_call_parameters

from analytics_worker.errors import PermanentError
from analytics_worker.prefect_support.api_client import api_client
from analytics_worker.prefect_support.deployments import deployment_name
from analytics_worker.prefect_support.results import RunFailed
from analytics_worker.prefect_support.run_results import (
    ResultElsewhereError,
    is_exception,
    read_result,
    read_run,
    read_state,
)
from analytics_worker.prefect_support.stack_access import (
    ApiUnavailableError,
    api_name,
    unavailable_message,
    with_stack_access,
)

FIRST_POLL_SECONDS, MAX_POLL_SECONDS = 0.05, 1.0
POLL_SHARE = 0.05
"""Share of the time waited so far by which the poll interval grows: it keeps the extra delay small."""


class SubmitError(PermanentError):
    """The run could not be queued: unknown deployment or invalid parameters."""


@dataclass(frozen=True)
class Run:
    """A handle of one run, usable in any process."""

    id: UUID
    name: str
    deployment: str

    def __str__(self) -> str:
        return f"{self.deployment} ({self.name})"

    @property
    def url(self) -> str | None:
        """Return the address of this run in the Prefect UI."""
        with with_stack_access():
            ui = get_current_settings().ui_url
        return f"{ui}/runs/flow-run/{self.id}" if ui else None

    def state(self) -> State[Any] | None:
        """Return the current state of the run."""
        with _api() as client:
            return read_state(client, self.id)[0]

    def ready(self) -> bool:
        """Whether the run has ended, in any state."""
        state = self.state()
        return state is not None and state.is_final()

    def successful(self) -> bool:
        """Whether the run succeeded; False while it still runs."""
        state = self.state()
        return state is not None and state.is_completed()

    @property
    def result(self) -> Any:
        """Return the result of the run, the error if it ended without a result, or None while it runs."""
        with _api() as client:
            state, data = read_state(client, self.id)
        if state is None or not state.is_final():
            return None
        try:
            return _reported_result(state, data)
        except RunFailed as error:
            return error

    def get(self, timeout: float | None = None) -> Any:
        """Wait for the run to end and return its result, even if that is a failure.

        Args:
            timeout: Seconds to wait; None waits without limit.

        Raises:
            TimeoutError: the run has not ended by then; it continues.
            RunFailed: the run crashed, was cancelled or timed out without a result.
            ResultRefusedError: its result is not JSON in our storage.
        """
        started = time.monotonic()
        deadline = math.inf if timeout is None else started + timeout
        with _api() as client:
            while True:
                state, data = read_state(client, self.id)
                if state is not None and state.is_final():
                    return _reported_result(state, data)
                waited = time.monotonic() - started
                pause = min(MAX_POLL_SECONDS, FIRST_POLL_SECONDS + waited * POLL_SHARE)
                if time.monotonic() + pause > deadline:
                    now = state.name if state else "not scheduled"
                    raise TimeoutError(f"{self} is {now} after {timeout} s")
                time.sleep(pause)  # noqa: TID251  # the caller asked to wait

    def cancel(self) -> None:
        """Request cancellation of the run."""
        with _api() as client:
            client.set_flow_run_state(self.id, Cancelling())


def submit(flow: Flow[..., Any] | str, *args: Any, **parameters: Any) -> Run:
    """Queue a run on the flow's work pool and return immediately.

    Args:
        flow: The flow itself, its name (``refresh-catalog``) or ``<flow>/<pool>``.
        args: Positional parameters; only with the flow itself.
        parameters: The flow's parameters.

    Raises:
        SubmitError: no deployment of that name exists, or the parameters are not valid.
        ApiUnavailableError: the API does not answer.
    """
    name = deployment_name(flow if isinstance(flow, str) else flow.name)
    values = _bind(flow, args, parameters)
    try:
        with _api() as client:
            return _queue(client, name, values)
    except PrefectHTTPStatusError as error:
        raise SubmitError(f"{name} was refused: {_detail(error)}") from error


def _queue(client: SyncPrefectClient, name: str, parameters: dict[str, Any]) -> Run:
    try:
        deployment = client.read_deployment_by_name(name)
        if deployment.work_pool_name is None:  # its runs would wait forever
            raise SubmitError(
                f"The work pool of {name} was deleted. Run `analytics-worker deploy`."
            )
        run = client.create_flow_run_from_deployment(deployment.id, parameters=parameters)
    except ObjectNotFound as error:
        raise SubmitError(
            f"{name} is not deployed on {api_name()}. Run `analytics-worker deploy`."
        ) from error
    return Run(id=run.id, name=run.name, deployment=name)


def find(flow_run_id: UUID | str) -> Run:
    """Return the handle of a run that another process queued."""
    with _api() as client:
        run = read_run(client, UUID(str(flow_run_id)))
        handle = partial(Run, id=UUID(run["id"]), name=run["name"])
        if run["deployment_id"] is None:
            return handle(deployment="called directly")
        deployment = client.read_deployment(UUID(run["deployment_id"]))
        flow = client.read_flow(UUID(run["flow_id"]))
    return handle(deployment=f"{flow.name}/{deployment.name}")


@contextmanager
def _api() -> Generator[SyncPrefectClient]:
    """The API's client; one that does not answer is an error of one line.

    Raises:
        ApiUnavailableError: the API does not answer.
        ApiRefusedError: it requires a login, or refuses the request unread.
    """
    with with_stack_access():
        try:
            with api_client() as client:
                yield client
        except httpx.TransportError as error:
            raise ApiUnavailableError(unavailable_message(error)) from None


def _bind(
    flow: Flow[..., Any] | str, args: tuple[Any, ...], parameters: Mapping[str, Any]
) -> dict[str, Any]:
    if isinstance(flow, str):
        if args:
            raise SubmitError(f"Name the parameters of {flow!r}: submit({flow!r}, name=value)")
        return dict(parameters)
    try:
        return get_call_parameters(flow.fn, args, dict(parameters), apply_defaults=False)
    except Exception as error:
        raise SubmitError(f"{flow.name}: {error}") from error


def _reported_result(state: State[Any], data: Any) -> Any:
    try:
        with with_stack_access():
            result = read_result(data)
    except ResultElsewhereError:
        if state.is_completed():
            raise
        raise RunFailed(f"{state.name}: {state.message}") from None
    if isinstance(result, Mapping) and not is_exception(result):
        return cast("Mapping[str, Any]", result)
    if state.is_completed():
        return result
    raise RunFailed(f"{state.name}: {state.message or result}")


def _detail(error: PrefectHTTPStatusError) -> str:
    try:
        return str(error.response.json()["detail"])
    except (ValueError, KeyError):
        return str(error)
