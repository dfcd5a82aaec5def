"""Record what a run sends: what it shows of earlier runs, and what later ones are compared with.

Reads ops.report_comparisons and, in the snapshot of the report, what `sent_parts` reads; writes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from analytics_worker.database.connections import run_sql, warehouse
from flows.reports.formats import Document, Fingerprint, Restated, Snapshot
from flows.reports.restatement.parts import Part, SentReport
from flows.reports.restatement.reading import shows
from flows.reports.restatement.section import RestatedSection, restated_section
from flows.reports.restatement.sent import is_recorded, sent_parts, table_parts
from flows.reports.runs.model import ReportRun


@dataclass(frozen=True)
class Record:
    """What is known before the snapshot of a report is opened; without a section, nothing is recorded."""

    run: ReportRun
    section: RestatedSection | None = None
    fingerprint: str | None = None
    changed_at: datetime | None = None

    @property
    def restated(self) -> Sequence[Restated]:
        """What the report shows of earlier runs."""
        return self.section.periods if self.section else ()

    def tables(self, snapshot: Snapshot) -> list[Part]:
        """Return the tables before they are read; those without a problem are to be hashed while they are."""
        return [] if self.section is None else table_parts(snapshot, self.run)

    def complete(
        self,
        snapshot: Snapshot,
        document: Document,
        tables: Sequence[Part],
        fingerprints: Mapping[int, Fingerprint | None],
    ) -> SentReport | None:
        """Return what is stored with the run; the snapshot is that of the page."""
        if self.section is None:
            return None
        return SentReport(
            sent_parts(snapshot, self.run, document, tables, fingerprints),
            self.fingerprint if shows(snapshot, self.changed_at) else None,
            document.complete_through,
            self.section.run_ids,
        )


def begin_record(run: ReportRun) -> Record:
    """Begin to record a run.

    The state of the relations is from before they are read: what changes meanwhile is then compared again.
    """
    if not is_recorded(run):
        return Record(run)
    with warehouse() as connection:
        section = restated_section(connection, run)
        rows = run_sql(connection, "reports/report_fingerprint", report=run.name)
    return Record(run, section, **(rows[0] if rows else {}))
