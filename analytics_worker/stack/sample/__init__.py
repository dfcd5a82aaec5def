"""A made-up CRM and billing warehouse in schema ``raw``: three years of business up to today.

Everything is made inside PostgreSQL. Every value is drawn by hashing the id of its row, so the
same size and the same instant give the same rows. A load is one transaction: all or nothing.
"""

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, text

from analytics_worker.errors import PermanentError

__all__ = ["SampleCounts", "SampleError", "is_empty", "load_sample", "tick"]

SQL = Path(__file__).parent / "sql"
OPPORTUNITIES_PER_SCALE = 50_000
MIN_OPPORTUNITIES = 200
"""Below this some tables would be empty."""
GENERATE = [
    "chance",
    "calendar",
    "deals",
    "people",
    "pipeline",
    "outreach",
    "revenue",
    "compliance",
]
FINISH = ["constraints", "comments", "analyze"]


class SampleError(PermanentError):
    """The sample can't be loaded or continued; the message gives the reason, and that nothing was changed."""


@dataclass(frozen=True)
class SampleCounts:
    """Rows per source table."""

    owners: int
    accounts: int
    opportunities: int
    stage_changes: int
    activities: int
    subscriptions: int
    invoices: int
    consents: int
    erasure_requests: int

    @property
    def total(self) -> int:
        """Rows in all tables."""
        return sum(getattr(self, field.name) for field in fields(self))

    def since(self, before: Self) -> "SampleCounts":
        """Return the number of rows added since ``before``."""
        names = [field.name for field in fields(self)]
        return SampleCounts(**{name: getattr(self, name) - getattr(before, name) for name in names})


def is_empty(connection: Connection) -> bool:
    """Whether schema ``raw`` is absent or holds no relation at all."""
    return not _run(connection, "state").one().has_relations


def load_sample(
    connection: Connection,
    scale: float = 1,
    *,
    opportunities: int | None = None,
    as_of: datetime | None = None,
    replace: bool = False,
) -> SampleCounts:
    """Fill schema ``raw`` with ``scale`` x 50,000 opportunities and what belongs to them.

    The business ends at ``as_of`` (default: this minute). The caller commits. Refuses to touch
    relations that are already there; ``replace`` overwrites an earlier sample, never other data.
    """
    size = opportunities or round(scale * OPPORTUNITIES_PER_SCALE)
    if size < MIN_OPPORTUNITIES:
        raise SampleError(
            f"scale {scale:g} makes {size} opportunities; {MIN_OPPORTUNITIES} are the least."
        )
    make_room = _preparation(connection, replace=replace)
    for script in ["session", make_room, *GENERATE, *FINISH]:
        _run(connection, script, opportunities=size, as_of=as_of or _this_minute())
    return _counts(connection)


def tick(
    connection: Connection, minutes: int = 5, *, as_of: datetime | None = None
) -> SampleCounts:
    """Add ``minutes`` of new business that end now, or later if the data is ahead of the clock.

    Returns how many rows were added. The caller commits.
    """
    if minutes < 1:
        raise SampleError(f"minutes is {minutes}; 1 is the least.")
    if not _run(connection, "state").one().is_sample:
        raise SampleError(
            "schema raw holds no sample to continue: run `analytics-worker sample` first."
        )
    before = _counts(connection)
    for script in ["session", "chance", "tick_sales", "tick_service"]:
        _run(connection, script, minutes=minutes, as_of=as_of or _this_minute())
    return _counts(connection).since(before)


def _preparation(connection: Connection, *, replace: bool) -> str:
    """Name of the script that makes room for a load."""
    state = _run(connection, "state").one()
    if not state.has_relations:
        return "tables"
    if not state.is_sample:
        raise SampleError(
            "schema raw holds tables that are not a sample; nothing was changed. "
            "Load the sample into another database."
        )
    if not replace:
        raise SampleError(
            "schema raw already holds a sample; nothing was changed. "
            "Add --replace to make it again, or --tick to add new business."
        )
    return "unconstrain"


def _run(connection: Connection, script: str, **parameters: Any) -> Any:
    statement = text((SQL / f"{script}.sql").read_text(encoding="utf-8"))
    return connection.execute(
        statement, {name: parameters[name] for name in statement.compile().params}
    )


def _counts(connection: Connection) -> SampleCounts:
    return SampleCounts(**_run(connection, "counts").one()._mapping)  # noqa: SLF001


def _this_minute() -> datetime:
    return datetime.now(UTC).replace(second=0, microsecond=0)
