"""The worker's own tables in schema ``ops``, read for the metrics on a connection past the breaker.

Reads only, and within a time limit: metrics must neither load the database nor speak for its health.
A table that the database does not have yet has no rows.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.exc import ProgrammingError

from exporter.counting import Increment, Item
from exporter.ledger import Window
from exporter.store import Store
from toolkit.database import MissingDatabaseError, direct, warehouse_url
from toolkit.errors import sqlstate

LIMIT = "select set_config('statement_timeout', '10000', false), set_config('lock_timeout', '2000', false)"
UNDEFINED_TABLE = "42P01"
BATCH = 1_000
DAY = 86_400.0


@lru_cache
def _statement(name: str) -> str:
    return (Path(__file__).parent / "sql" / f"{name}.sql").read_text()


def rows(name: str, **parameters: Any) -> Iterator[Sequence[RowMapping]]:
    """What a statement returns, in batches; nothing where no database is configured."""
    try:
        url = warehouse_url()
    except MissingDatabaseError:
        return
    with direct(url, autocommit=True) as connection:
        connection.execute(text(LIMIT))
        try:
            found = connection.execute(text(_statement(name)), parameters).mappings()
        except ProgrammingError as error:
            if sqlstate(error) == UNDEFINED_TABLE:
                return
            raise
        while batch := list(islice(found, BATCH)):
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
        increments: Callable[[RowMapping], Iterable[Increment]],
        *,
        recent: float = 3600.0,
    ) -> None:
        """``name`` is that of the statement."""
        self._store, self._name, self._increments = store, name, increments
        self._window = Window(store, name, recent=recent, deep=26 * 3600.0, kept=3 * DAY)

    def count(self, now: float) -> None:
        """Count the rows that were not counted yet."""
        for batch in rows(self._name, since=self._window.since(now)):
            self._store.apply(self._name, [self._item(row) for row in batch])
        self._window.done(now)

    def _item(self, row: RowMapping) -> Item:
        return Item(str(row["key"]).encode(), float(row["at"]), tuple(self._increments(row)))
