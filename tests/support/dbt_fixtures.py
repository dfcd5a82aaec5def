"""Observe dbt in a running stack, through the host and the database."""

from contextlib import suppress

import psutil

from analytics_worker.settings import project_root
from tests.support.stack import RunningStack
from tests.support.warehouse_fixtures import query

PROJECT = str(project_root() / "dbt_project")


def dbt_queries(stack: RunningStack) -> list[str]:
    """What dbt's connections are running or waiting for."""
    running = "select query from pg_stat_activity where application_name like 'dbt:%' and state = 'active'"
    return [text for (text,) in query(stack, running)]


def dbt_processes(stack: RunningStack) -> list[psutil.Process]:
    """Return the processes of the stack in the dbt project's folder: only those of dbt."""
    processes: list[psutil.Process] = []
    for process in stack.processes():
        with suppress(psutil.Error):
            processes += [process] if process.cwd() == PROJECT else []
    return processes
