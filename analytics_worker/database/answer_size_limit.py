"""Limit the bytes that user SQL may return; the server enforces the limit before it sends a row.

Reads the settings; writes nothing. A driver holds a whole result, and a single value can have 1 GB, so
no row beyond the limit may leave the server. Results that can't be large have no overhead.
"""

from collections.abc import Sequence
from typing import Any

import psycopg2
from psycopg2 import errorcodes, sql

from analytics_worker.errors import sqlstate
from analytics_worker.settings import settings

_SMALL_TYPES = {16, 20, 21, 23, 26, 700, 701, 1082, 1083, 1114, 1184, 1186, 1266, 2950}
"""Numbers of fixed size, boolean, dates and times, uuid."""
_SMALL_BYTES = 40
_PREFIX = "bytes in the result:"

# The size of each row's text is added up, unless the stored size is beyond the limit already: the text
# of 1 GB takes minutes. A cast that can't succeed raises an error for the first row beyond the limit.
_BOUNDED = """select (w.q).* from (
 select q, sum(
  case when pg_column_size(q) > {max_bytes} then pg_column_size(q) else octet_length(cast(q as text)) end
 ) over (rows unbounded preceding) as bytes
 from (select * from {source} limit {limit}) as q
) as w where case when w.bytes > {max_bytes} then cast(concat({prefix}, ' ', w.bytes) as boolean) else true end"""


def max_bytes() -> int:
    """Return how many bytes a query may return."""
    return settings().user_sql_max_mb * 1_000_000


def is_small(description: Sequence[Any], rows: int) -> bool:
    """Whether so many rows of these columns, as the driver describes them, can't exceed the limit."""
    types = [column[1] for column in description]
    return set(types) <= _SMALL_TYPES and len(types) * rows * _SMALL_BYTES <= max_bytes()


def bounded(source: sql.Composable, limit: int) -> sql.Composed:
    """Return a query for the first rows of a FROM item with an alias that fails beyond the limit."""
    return sql.SQL(_BOUNDED).format(
        source=source,
        limit=sql.Literal(limit),
        max_bytes=sql.Literal(max_bytes()),
        prefix=sql.Literal(_PREFIX),
    )


def too_large(error: psycopg2.Error) -> str | None:
    """Return the message for an error of `bounded`, or None for any other error."""
    text = error.diag.message_primary or ""
    if sqlstate(error) != errorcodes.INVALID_TEXT_REPRESENTATION or _PREFIX not in text:
        return None
    return (
        f"the rows have more than {settings().user_sql_max_mb} MB (USER_SQL_MAX_MB); select fewer"
        " columns, shorten texts with left(…, 1000), or aggregate in SQL"
    )
