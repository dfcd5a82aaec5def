"""Define the ``@task`` decorator of this project: Prefect's, with telemetry of its timings.

Example::

@task(**CATALOG, name="count orders")
def count_orders(schemas: list[str]) -> int: ...
"""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from prefect import Task

from analytics_worker.telemetry import measured

P = ParamSpec("P")
R = TypeVar("R")


def task(**options: Any) -> Callable[[Callable[P, R]], Task[P, R]]:
    """Make a task of a function.

    Args:
        options: A policy of `analytics_worker.prefect_support.retries`, and any other option of Prefect's task.
    """
    return lambda function: Task(measured(function), **options)
