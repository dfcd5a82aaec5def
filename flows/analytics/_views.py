"""List the materialized views, and select those that a caller names.

Reads pg_catalog and ``ops.refresh_log``; writes nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
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
    matches = {name: _matching(name, known) for name in names}
    problems = list(_problems(matches, known))
    if problems:
        raise UnknownViewError("; ".join(problems))
    return list(dict.fromkeys(found[0] for found in matches.values()))


def _problems(matches: Mapping[str, Sequence[View]], known: Sequence[View]) -> Iterator[str]:
    """Return what is wrong with the names: all of them, so that one message is enough."""
    unknown = [name for name, found in matches.items() if not found]
    if unknown:
        names = ", ".join(map(repr, unknown))
        yield f"No materialized view found: {names}; expected one of: {_list(known)}"
    for name, found in matches.items():
        if len(found) > 1:
            yield f"{name!r} is ambiguous; expected one of: {_list(found)}"


def _matching(name: str, known: Sequence[View]) -> list[View]:
    """Match exactly, or else as SQL folds an unquoted name."""
    name = name.strip()
    exact = [view for view in known if view.matches(name)]
    return exact or [view for view in known if view.matches(name.lower())]


def _list(views: Sequence[View]) -> str:
    return ", ".join(view.label for view in views) or "none"
