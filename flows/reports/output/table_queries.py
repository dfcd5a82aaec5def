"""The queries of a report's tables, and the fingerprints of their rows.

Reads settings; writes nothing. The first file of a report that has all rows of a table hashes them while it is
written, so that the SQL of the table is not executed for its fingerprint alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from analytics_worker.settings import settings
from analytics_worker.text import value_line
from flows.reports.formats import Fingerprint, TableQuery, get_format
from flows.reports.runs.model import HeldPart, ReportRun
from flows.reports.scheduling.period_parameters import sql_parameters

MAX_HELD_TEXT = 120


@dataclass
class TableQueries:
    """The tables of a run: those that are hashed, and what was found of them so far.

    A fingerprint is None if it took too long to read the rows.
    """

    run: ReportRun
    hashed: frozenset[int] = frozenset()
    fingerprints: dict[int, Fingerprint | None] = field(
        default_factory=dict[int, Fingerprint | None]
    )

    def of_page(self) -> list[TableQuery]:
        """Return the queries for a page, which has all rows only of short tables."""
        has_files = any(not get_format(name).document for name in self.run.report.format)
        queries = self._queries(frozenset() if has_files else self.hashed)
        return [
            replace(each, title=f"{each.title} ({each.held})") if each.held else each
            for each in queries
        ]

    def of_file(self) -> list[TableQuery]:
        """Return the queries for a file with all rows."""
        return self._queries(self.hashed - self.fingerprints.keys())

    def add(self, fingerprints: Mapping[int, Fingerprint | None]) -> None:
        """Add the fingerprints of tables whose rows were read."""
        self.fingerprints.update(fingerprints)

    def _queries(self, hashed: frozenset[int]) -> list[TableQuery]:
        parameters, seconds = sql_parameters(self.run), settings().report_restatement_seconds
        return [
            TableQuery(
                table.title,
                table.sql,
                parameters,
                table.columns,
                hash_seconds=seconds if number in hashed else None,
                held=held_text(self.run.held_part("table", number)),
            )
            for number, table in enumerate(self.run.report.tables)
        ]


def held_text(part: HeldPart | None) -> str:
    """Return what stands in place of a part that is held; nothing if it is not."""
    return value_line(f"held: {', '.join(part.unmet)}", MAX_HELD_TEXT) if part else ""
