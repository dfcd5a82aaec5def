"""The materialized views there are, and which of them a caller means.

Reads pg_catalog and ``ops.refresh_log``; writes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from analytics_worker.database.connections import run_sql
from analytics_worker.errors import PermanentError


class UnknownViewError(PermanentError):
    """A name that means no materialized view, or more than one; lists those there are."""


@dataclass(frozen=True)
class View:
    """A materialized view."""

    oid: int
    schema_name: str
    view_name: str
    label: str
    """Qualified and quoted as SQL needs it."""
    depends_on: frozenset[int]
    """Oids of the materialized views behind it."""
    seconds: float = 0
    """How long its last refresh took."""

    @property
    def spellings(self) -> tuple[str, ...]:
        """How a caller may write it."""
        quoted = '"{}"'.format(self.view_name.replace('"', '""'))
        return (
            self.view_name,
            quoted,
            self.label,
            f"{self.schema_name}.{self.view_name}",
            f"{self.schema_name}.{quoted}",
        )

    def is_meant_by(self, name: str) -> bool:
        """Whether the name is one of its spellings, to the letter."""
        return name in self.spellings


def materialized_views(connection: Connection, schemas: list[str]) -> list[View]:
    """All of them in the given schemas, by name."""
    rows = run_sql(connection, "analytics/materialized_views", schemas=schemas)
    return [
        View(
            oid=row["oid"],
            schema_name=row["schema_name"],
            view_name=row["view_name"],
            label=row["label"],
            depends_on=frozenset(row["depends_on"]),
            seconds=row["seconds"],
        )
        for row in rows
    ]


def chosen(names: Sequence[str], known: Sequence[View]) -> list[View]:
    """The views that the names mean, each once.

    Raises:
        UnknownViewError: a name fits no view, or several.
    """
    unknown = [name for name in names if not _meant(name, known)]
    if unknown:
        raise UnknownViewError(
            f"No such materialized view: {', '.join(map(repr, unknown))}. There are: {_list(known)}"
        )
    for name in names:
        if len(meant := _meant(name, known)) > 1:
            raise UnknownViewError(f"{name!r} is ambiguous; write one of: {_list(meant)}")
    return list(dict.fromkeys(_meant(name, known)[0] for name in names))


def _meant(name: str, known: Sequence[View]) -> list[View]:
    """To the letter, or else as SQL folds a name without quotes."""
    name = name.strip()
    exactly = [view for view in known if view.is_meant_by(name)]
    return exactly or [view for view in known if view.is_meant_by(name.lower())]


def _list(views: Sequence[View]) -> str:
    return ", ".join(view.label for view in views) or "none"
