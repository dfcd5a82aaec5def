"""Write the expressions of an event-time column of each type: timestamps with and without time zone, and dates.

Reads nothing, writes nothing. Indexes serve the bounds, because the column itself is compared.
"""

from datetime import datetime
from typing import Any, NamedTuple

from psycopg2 import sql

TIMESTAMPTZ, TIMESTAMP, DATE = "timestamp with time zone", "timestamp without time zone", "date"
TYPES = (TIMESTAMPTZ, TIMESTAMP, DATE)


class EventTime(NamedTuple):
    """A column of a relation."""

    schema: str
    relation: str
    column: str
    type: str
    timezone: str

    def parts(self, since: datetime, until: datetime) -> dict[str, sql.Composable]:
        """Return the parts of a statement on the events between two instants."""
        return {
            "relation": sql.Identifier(self.schema, self.relation),
            "column": sql.Identifier(self.column),
            "since": self._bound(since),
            "until": self._bound(until),
            "at": self._instant(),
        }

    def _bound(self, at: datetime) -> sql.Composable:
        return sql.SQL(_BOUNDS[self.type]).format(**_literals(at.isoformat(), self.timezone))

    def _instant(self) -> sql.Composable:
        """Return the instant of ``latest``; of a date, the end of its day."""
        return sql.SQL(_INSTANTS[self.type]).format(**_literals("", self.timezone))


_BOUNDS: dict[str, Any] = {
    TIMESTAMPTZ: "cast({at} as timestamptz)",
    TIMESTAMP: "(cast({at} as timestamptz) at time zone {zone})",
    DATE: "cast(cast({at} as timestamptz) at time zone {zone} as date)",
}
_INSTANTS: dict[str, Any] = {
    TIMESTAMPTZ: "latest",
    TIMESTAMP: "(latest at time zone {zone})",
    DATE: "(cast(latest + 1 as timestamp) at time zone {zone})",
}


def _literals(at: str, timezone: str) -> dict[str, sql.Composable]:
    return {"at": sql.Literal(at), "zone": sql.Literal(timezone)}
