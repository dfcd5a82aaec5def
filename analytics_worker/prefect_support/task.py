"""The ``@task`` of this project: Prefect's, with the timings of what it does inside.

Reads nothing; writes what `analytics_worker.telemetry` writes. ::

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
