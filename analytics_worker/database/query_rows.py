"""Hold the rows of a user's statement."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(frozen=True)
class QueryRows:
    """The rows of a statement, at most as many as the row cap; values as the server prints them.

    ``types`` are the columns' type OIDs.
    """

    columns: Sequence[str]
    types: Sequence[int]
    rows: Sequence[tuple[str | None, ...]] = field(repr=False)


class TimedRows(NamedTuple):
    """The rows of a statement, and how long the server took for them."""

    table: QueryRows
    seconds: float
