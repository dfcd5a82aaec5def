"""Work with the data of a stack that does not run: on its own PostgreSQL, or the database of the user.

Holds the lock of the state folder meanwhile, so that no stack or server starts. Starts the PostgreSQL of `make up` if
the settings name no database.
"""

import os
from collections.abc import Generator
from contextlib import contextmanager

from analytics_worker.settings import settings
from analytics_worker.stack.errors import StackError
from analytics_worker.stack.own_database import VARIABLE, forget_own_database
from analytics_worker.stack.postgres.server import EmbeddedPostgres
from analytics_worker.stack.state_dir import StateFolder

DATA = "postgres"
"""Folder of the PostgreSQL of `make up`, below the state folder."""


@contextmanager
def stopped_stack(*, restoring: bool) -> Generator[StateFolder]:
    """Hold the lock of the state folder, with a database to connect to.

    Args:
        restoring: Whether a restore that was not finished is no obstacle, and a new database is created.

    Raises:
        StackError: a stack or server runs in the folder.
    """
    folder = StateFolder(settings().state_dir)
    folder.acquire_lock(restoring=restoring)
    try:
        folder.clear_leftovers()
        forget_own_database(folder.path)
        settings.cache_clear()
        with _own_database(folder, create=restoring):
            yield folder
    finally:
        folder.release_lock()


@contextmanager
def running_or_stopped_stack() -> Generator[None]:
    """Use the database of the stack, whether it runs or not."""
    folder = StateFolder(settings().state_dir)
    try:
        folder.acquire_lock(restoring=True)
    except StackError:  # it runs, and has written where its database is
        yield
        return
    folder.release_lock()
    if not (folder.path / DATA).exists():
        yield
        return
    with stopped_stack(restoring=False):
        yield


@contextmanager
def _own_database(folder: StateFolder, *, create: bool) -> Generator[None]:
    """Run the PostgreSQL of the folder, if the settings name no other database."""
    data = folder.path / DATA
    is_named = settings().database_url or settings().database_block
    if is_named or not (create or data.exists()):
        yield
        return
    with EmbeddedPostgres(data) as server:
        os.environ[VARIABLE] = server.url
        settings.cache_clear()
        try:
            yield
        finally:
            del os.environ[VARIABLE]
            settings.cache_clear()
