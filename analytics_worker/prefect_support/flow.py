"""Define the ``@flow`` decorator of this project: Prefect's, with the guarantees of all our flows.

A flow returns its result (`analytics_worker.prefect_support.results`). An exception becomes a result, too,
so that a failed run has a one-line message. Results are JSON in the data of the run's state.
"""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, Self, TypeVar, cast

from prefect import Flow, get_run_logger
from prefect.client.schemas.objects import State

from analytics_worker.circuit_breaker import CircuitOpenError
from analytics_worker.disk_problems import DiskError, disk_problem
from analytics_worker.errors import chain, is_permanent, may_succeed_later
from analytics_worker.prefect_support.catch_up import skip_if_superseded
from analytics_worker.prefect_support.inline_results import with_inline_data
from analytics_worker.prefect_support.results import RunFailed, flow_result, state_of
from analytics_worker.prefect_support.run_names import NameOf, Outcome, RunName
from analytics_worker.prefect_support.run_ownership import run_ownership
from analytics_worker.prefect_support.safe_logs import protect_logs
from analytics_worker.prefect_support.stack_access import use_server
from analytics_worker.telemetry import measured
from analytics_worker.text import printable

P = ParamSpec("P")
R = TypeVar("R")


class WorkerFlow(Flow[P, R]):
    """A flow whose direct call returns the result, or raises `RunFailed` with it."""

    def __call__(self, *args: Any, return_state: bool = False, **kwargs: Any) -> Any:
        """Run the flow in this process, on the server of the local stack unless another is set.

        Raises:
            NoServerError: there is neither; Prefect would start a server of its own.
        """
        with use_server():
            state = cast("State[Any]", super().__call__(*args, return_state=True, **kwargs))
        return state if return_state else result_of(state)

    def with_options(self, **options: Any) -> Self:
        """Return a copy with other options, which is of this class, too: Prefect makes a plain flow."""
        changed = super().with_options(**options)
        changed.__class__ = type(self)
        return cast("Self", changed)


def result_of(state: State[Any]) -> Any:
    """Return the result of a finished run.

    Raises:
        RunFailed: the run did not succeed; ``.result`` is its result.
    """
    result = state.result(raise_on_failure=False)
    if isinstance(result, BaseException):
        raise result
    if state.is_completed():
        return result
    raise RunFailed(f"{state.name}: {state.message}", result)


def flow(
    *,
    timeout_seconds: float,
    flow_type: type[WorkerFlow[..., Any]] = WorkerFlow,
    run_name: str | NameOf | None = None,
    outcome: Outcome | None = None,
    **options: Any,
) -> Callable[[Callable[P, R]], WorkerFlow[P, R]]:
    """Make a flow of a function that returns a `analytics_worker.prefect_support.results.FlowResult`.

    Args:
        timeout_seconds: When the run ends as TimedOut. Statements and child processes of the flow
            need their own timeouts.
        flow_type: Class of the flow.
        run_name: Name of its runs; by default that of the function in words.
        outcome: Returns what a result adds to the name of its run.
        options: Any other option of Prefect's flow.
    """

    def decorate(function: Callable[P, R]) -> WorkerFlow[P, R]:
        name = RunName(run_name or function.__name__.replace("_", " "))
        made = flow_type(
            cast("Callable[P, R]", measured(_report_errors(_named(function, name, outcome)))),
            flow_run_name=name,
            timeout_seconds=timeout_seconds,
            persist_result=True,
            result_serializer="json",
            **options,
        )
        return cast("WorkerFlow[P, R]", made)

    return decorate


def _named(function: Callable[P, R], name: RunName, outcome: Outcome | None) -> Callable[P, R]:
    """Add the outcome to the name of the run; without one, nothing is requested at its end."""
    if outcome is None:
        return function

    @functools.wraps(function)
    def body(*args: P.args, **kwargs: P.kwargs) -> R:
        result = function(*args, **kwargs)
        name.add_outcome(outcome, result)
        return result

    return body


def _report_errors(function: Callable[P, R]) -> Callable[P, State[Any]]:
    @functools.wraps(function)
    def body(*args: P.args, **kwargs: P.kwargs) -> State[Any]:
        protect_logs()
        with run_ownership():
            try:
                return skip_if_superseded() or with_inline_data(
                    state_of(cast("dict[str, Any]", function(*args, **kwargs)))
                )
            except Exception as error:  # noqa: BLE001  # every run must report its error
                return _failed_state(error)

    return body


def _failed_state(error: Exception) -> State[Any]:
    """Log the error, with a traceback if it is unexpected; return the failed state, which says if a later run may succeed."""
    message = printable(disk_problem(error) or str(error)).strip() or type(error).__name__
    circuit_is_open = any(isinstance(link, CircuitOpenError) for link in chain(error))
    expected = circuit_is_open or is_permanent(error) or isinstance(error, DiskError)
    get_run_logger().error(message, exc_info=None if expected else error)
    failed = state_of(
        {**flow_result("failed", message.split("\n")[0], error=message)},
        "CircuitOpen" if circuit_is_open else None,
    )
    failed.state_details.retriable = may_succeed_later(error)
    return with_inline_data(failed)
