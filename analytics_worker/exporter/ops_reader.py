"""The worker's own tables in schema ``ops``, read for the metrics on a connection past the breaker.

Reads only, and within a time limit: metrics must neither load the database nor count for its health.
A table or column that the database does not have yet has no rows.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.errors import UndefinedColumn, UndefinedTable
from psycopg2.extensions import connection as Connection  # noqa: N812  # it is a class
from psycopg2.extras import RealDictCursor

from analytics_worker.exporter.connection_args import connection_arguments
from analytics_worker.exporter.counter_events import CountedItem, Increment
from analytics_worker.exporter.counter_store import Store
from analytics_worker.exporter.scan_window import ScanWindow
from analytics_worker.settings import settings

LIMIT = "select set_config('statement_timeout', '10000', true), set_config('lock_timeout', '2000', true)"
BATCH = 1_000
DAY = 86_400.0

Row = Mapping[str, Any]


@lru_cache
def _statement(name: str) -> str:
    return (Path(__file__).parent / "sql" / f"{name}.sql").read_text()


@contextmanager
def _connection(arguments: Mapping[str, Any]) -> Generator[Connection]:
    own: dict[str, Any] = {
        "connect_timeout": settings().connect_timeout_seconds,
        "application_name": "analytics-exporter",
    }
    opened = psycopg2.connect(**own | dict(arguments))  # noqa: TID251  # past the breaker, see above
    with closing(opened) as connection:
        connection.set_session(
            readonly=True
        )  # of the transaction: a pooler keeps what a session sets
        yield connection
        if not connection.closed:
            connection.rollback()


class _Shared:
    """The connection of one poll, opened at its first statement."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._connection: Connection | None = None

    def get(self, arguments: Mapping[str, Any]) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = self._stack.enter_context(_connection(arguments))
        return self._connection

    def close(self) -> None:
        self._stack.close()


_shared: ContextVar[_Shared | None] = ContextVar("connection of the poll", default=None)


@contextmanager
def one_connection() -> Generator[None]:
    """Let all statements in this block share a connection: to log in takes longer than most of them."""
    shared = _Shared()
    token = _shared.set(shared)
    try:
        yield
    finally:
        _shared.reset(token)
        shared.close()


@contextmanager
def _transaction(arguments: Mapping[str, Any]) -> Generator[Connection]:
    shared = _shared.get()
    if shared is None:
        with _connection(arguments) as connection:
            yield connection
        return
    connection = shared.get(arguments)
    try:
        yield connection
    finally:
        if not connection.closed:
            connection.rollback()


def rows(name: str, **parameters: Any) -> Iterator[Sequence[Row]]:
    """Yield the rows of a statement in batches; nothing if no database is configured."""
    arguments = connection_arguments()
    if arguments is None:
        return
    with (
        _transaction(arguments) as connection,
        connection.cursor(cursor_factory=RealDictCursor) as cursor,
    ):
        cursor.execute(LIMIT)
        try:
            cursor.execute(_statement(name), parameters)
        except (UndefinedColumn, UndefinedTable):
            return
        while batch := cursor.fetchmany(BATCH):
            yield batch


class History:
    """Rows of one table, each counted once when it is final.

    The statement takes ``since`` and returns ``key``, ``at`` (both of the row) and what
    ``increments`` needs.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        increments: Callable[[Row], Iterable[Increment]],
        *,
        recent: float = 3600.0,
    ) -> None:
        self._store, self._name, self._increments = store, name, increments
        self._window = ScanWindow(store, name, recent=recent, deep=26 * 3600.0, kept=3 * DAY)

    def count(self, now: float) -> None:
        """Count the rows that were not counted yet."""
        for batch in rows(self._name, since=self._window.since(now)):
            self._store.apply(self._name, [self._item(row) for row in batch])
        self._window.done(now)

    def _item(self, row: Row) -> CountedItem:
        return CountedItem(str(row["key"]).encode(), float(row["at"]), tuple(self._increments(row)))
