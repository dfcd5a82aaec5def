"""List the materialized views, and select those that a caller names.

Reads pg_catalog and ``ops.refresh_log``; writes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from analytics_worker.database.connections import run_sql
from analytics_worker.errors import PermanentError


class UnknownViewError(PermanentError):
    """A name that matches no materialized view, or several; the message lists the candidates."""


@dataclass(frozen=True)
class View:
    """A materialized view."""

    oid: int
    schema_name: str
    view_name: str
    label: str
    """Qualified and quoted as SQL needs it."""
    depends_on: frozenset[int]
    """Oids of the materialized views that it reads."""
    seconds: float = 0
    """Duration of its last refresh."""

    @property
    def spellings(self) -> tuple[str, ...]:
        """Ways in which a caller may write its name."""
        quoted = '"{}"'.format(self.view_name.replace('"', '""'))
        return (
            self.view_name,
            quoted,
            self.label,
            f"{self.schema_name}.{self.view_name}",
            f"{self.schema_name}.{quoted}",
        )

    def matches(self, name: str) -> bool:
        """Whether the name is exactly one of its spellings."""
        return name in self.spellings


def materialized_views(connection: Connection, schemas: list[str]) -> list[View]:
    """Return the materialized views of the schemas, ordered by name."""
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


def select_views(names: Sequence[str], known: Sequence[View]) -> list[View]:
    """Return the views that the names match, each once.

    Raises:
        UnknownViewError: a name matches no view, or several.
    """
    unknown = [name for name in names if not _matching(name, known)]
    if unknown:
        raise UnknownViewError(
            f"No materialized view found: {', '.join(map(repr, unknown))}; expected one of:"
            f" {_list(known)}"
        )
    for name in names:
        if len(matches := _matching(name, known)) > 1:
            raise UnknownViewError(f"{name!r} is ambiguous; expected one of: {_list(matches)}")
    return list(dict.fromkeys(_matching(name, known)[0] for name in names))


def _matching(name: str, known: Sequence[View]) -> list[View]:
    """Match exactly, or else as SQL folds an unquoted name."""
    name = name.strip()
    exact = [view for view in known if view.matches(name)]
    return exact or [view for view in known if view.matches(name.lower())]


def _list(views: Sequence[View]) -> str:
    return ", ".join(view.label for view in views) or "none"
