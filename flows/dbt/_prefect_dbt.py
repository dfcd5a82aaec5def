"""Run a dbt command through prefect-dbt's runner, in the child process (``DBT_RUNNER=prefect``).

prefect-dbt writes the task runs, assets, lineage and log lines of the nodes to the Prefect API. Our own
callback gets the same events, so that results, history and retries are those of dbt's own runner. Each
step below that is not a plain call makes up for a fault that tests/flows/dbt/test_prefect_runner.py shows.
"""

import base64
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cloudpickle
from dbt.cli.main import dbtRunner, dbtRunnerResult
from dbt.contracts.state import load_result_state
from dbt_common.events.base_types import EventLevel
from prefect import Flow
from prefect.context import hydrated_context, serialize_context
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker
from prefect_dbt import PrefectDbtRunner, PrefectDbtSettings
from prefect_dbt.core import runner as prefect_dbt_runner

TASK_RUNS_SECONDS = 15.0
"""How long task runs may take to report their end after dbt ended."""

Callback = Callable[[Any], None]


def flow_of_nodes() -> None:
    """Stand in for the function of the flow, whose module cannot be sent to another process."""


def pack_context() -> str:
    """Return the context of the current flow run, to send to the child process."""
    context = serialize_context()
    flow_run = context["flow_run_context"]
    if flow_run:
        flow_run |= {"flow": Flow(flow_of_nodes, name=flow_run["flow"].name), "parameters": {}}
    context["task_run_context"] = {}
    return base64.b64encode(cloudpickle.dumps(context)).decode()


def invoke(argv: Sequence[str], callback: Callback, context: str) -> dbtRunnerResult:
    """Run the command as part of the flow run of the context; return the result of dbt."""
    arguments = without_option(argv, "--log-level")  # "none" is not one of its levels
    results = _inject(callback, arguments)
    settings = PrefectDbtSettings(
        project_dir=Path(value_of(arguments, "--project-dir") or "."),
        profiles_dir=Path(value_of(arguments, "--profiles-dir") or "."),
        log_level=EventLevel.INFO,  # its default fails for PREFECT_LOGGING_LEVEL=WARNING
    )
    with hydrated_context(cloudpickle.loads(base64.b64decode(context))):
        try:
            PrefectDbtRunner(settings=settings, raise_on_failure=False).invoke(arguments)
        except ValueError:
            if not results:
                raise  # dbt was not started
        finally:
            _flush()
    return results[-1]


def _inject(callback: Callback, arguments: Sequence[str]) -> list[dbtRunnerResult]:
    """Let prefect-dbt's runner call our callback, too, and keep what dbt returns.

    It replaces an error of dbt by the text of one, and reads the results to retry from the target folder.
    """
    results: list[dbtRunnerResult] = []

    class Runner(dbtRunner):
        def __init__(self, callbacks: list[Callback]) -> None:
            super().__init__(callbacks=[callback, *callbacks])

        def invoke(self, args: list[str], **options: Any) -> dbtRunnerResult:
            results.append(super().invoke(args, **options))
            return results[-1]

    state = value_of(arguments, "--state")
    setattr(prefect_dbt_runner, "dbtRunner", Runner)  # noqa: B010
    if state:
        previous = load_result_state(Path(state) / "run_results.json")

        def previous_results(_: Path) -> Any:
            return previous

        setattr(prefect_dbt_runner, "load_result_state", previous_results)  # noqa: B010
    return results


def _flush() -> None:
    """Wait for the task runs of the nodes, which run in threads without a join, and send what they wrote."""
    for thread in threading.enumerate():
        if "(run_task)" in thread.name:
            thread.join(TASK_RUNS_SECONDS)
    APILogWorker.drain_all(timeout=TASK_RUNS_SECONDS)
    EventsWorker.drain_all(timeout=TASK_RUNS_SECONDS)


def value_of(arguments: Sequence[str], option: str) -> str | None:
    """Return the value of an option; None if it is missing."""
    return arguments[arguments.index(option) + 1] if option in arguments else None


def without_option(arguments: Sequence[str], option: str) -> list[str]:
    """Return the arguments without an option and its value."""
    if option not in arguments:
        return list(arguments)
    start = arguments.index(option)
    return [*arguments[:start], *arguments[start + 2 :]]
