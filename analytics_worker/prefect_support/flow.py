"""The ``@flow`` of this project: Prefect's, with the promises that all our flows make.

A flow returns its result (`analytics_worker.prefect_support.results`); an exception becomes a result, too, so that a red run
says in one sentence what is wrong. Results are persisted as JSON.
"""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

from prefect import Flow, get_run_logger
from prefect.client.schemas.objects import State

from analytics_worker.circuit_breaker import CircuitOpenError
from analytics_worker.errors import chain, is_permanent
from analytics_worker.prefect_support.catch_up import skip_if_overdue
from analytics_worker.prefect_support.results import RunFailed, flow_result, state_of
from analytics_worker.prefect_support.safe_logs import protect_logs
from analytics_worker.telemetry import measured
from analytics_worker.text import printable

P = ParamSpec("P")
R = TypeVar("R")


class WorkerFlow(Flow[P, R]):
    """A flow whose direct call returns the result, or raises `RunFailed` with it."""

    def __call__(self, *args: Any, return_state: bool = False, **kwargs: Any) -> Any:
        """Run here and now, in this process."""
        state = cast("State[Any]", super().__call__(*args, return_state=True, **kwargs))
        return state if return_state else unwrap(state)


def unwrap(state: State[Any]) -> Any:
    """The result of a finished run.

    Raises:
        RunFailed: the run did not succeed; ``.result`` is what it reported.
    """
    result = state.result(raise_on_failure=False)
    if isinstance(result, BaseException):
        raise result
    if state.is_completed():
        return result
    raise RunFailed(f"{state.name}: {state.message}", result)


def flow(*, timeout_seconds: float, **options: Any) -> Callable[[Callable[P, R]], WorkerFlow[P, R]]:
    """Make a flow of a function that returns a `analytics_worker.prefect_support.results.FlowResult`.

    Args:
        timeout_seconds: When the run ends as TimedOut. What the flow started must be stopped by
            its own means: a statement timeout, a killed child.
        options: Any other option of Prefect's flow.
    """

    def decorate(function: Callable[P, R]) -> WorkerFlow[P, R]:
        return WorkerFlow(
            cast("Callable[P, R]", measured(_reporting(function))),
            timeout_seconds=timeout_seconds,
            persist_result=True,
            result_serializer="json",
            **options,
        )

    return decorate


def _reporting(function: Callable[P, R]) -> Callable[P, State[Any]]:
    @functools.wraps(function)
    def body(*args: P.args, **kwargs: P.kwargs) -> State[Any]:
        protect_logs()
        try:
            return skip_if_overdue() or state_of(cast("dict[str, Any]", function(*args, **kwargs)))
        except Exception as error:  # noqa: BLE001  # the shell of every run: it must report
            return _failed(error)

    return body


def _failed(error: Exception) -> State[Any]:
    """Name what is wrong; a traceback only where the error is not one of the expected kinds."""
    message = printable(str(error)).strip() or type(error).__name__
    opened = any(isinstance(link, CircuitOpenError) for link in chain(error))
    expected = opened or is_permanent(error)
    get_run_logger().error(message, exc_info=None if expected else error)
    return state_of(
        {**flow_result("failed", message.split("\n")[0], error=message)},
        "CircuitOpen" if opened else None,
    )
