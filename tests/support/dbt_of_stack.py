"""dbt at work in a running stack, as the host and the database see it."""

from contextlib import suppress

import psutil

from analytics_worker.settings import project_root
from tests.support.stack import RunningStack
from tests.support.warehouse_of_stack import query

PROJECT = str(project_root() / "dbt_project")


def dbt_queries(stack: RunningStack) -> list[str]:
    """What dbt's connections are running or waiting for."""
    running = "select query from pg_stat_activity where application_name like 'dbt:%' and state = 'active'"
    return [text for (text,) in query(stack, running)]


def dbt_processes(stack: RunningStack) -> list[psutil.Process]:
    """Processes below the worker that are in the dbt project's folder: dbt's, and nobody else is."""
    pid = stack.pid("worker")
    found: list[psutil.Process] = []
    for process in psutil.Process(pid).children(recursive=True) if pid else []:
        with suppress(psutil.Error):
            found += [process] if process.cwd() == PROJECT else []
    return found
