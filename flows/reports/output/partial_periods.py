"""Find out which parts of a report lack data of its period, and until when it is there.

Reads what the worker measured of the relations that the parts read; writes nothing. Without evidence that rows are
missing, a period is complete.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from analytics_worker.completeness.partial_periods import incomplete_relations, incomplete_text
from analytics_worker.database.connections import warehouse
from analytics_worker.database.select_guard import placeholders
from flows.reports.output.part_reads import PartReads, joined_names
from flows.reports.runs.model import ReportRun
from flows.reports.scheduling.period_parameters import PERIOD_PARAMETERS


@dataclass(frozen=True)
class PartialPeriod:
    """Until when the data of the period of a run is there, of the relations that lack some of it."""

    run: ReportRun
    reads: PartReads
    since: Mapping[str, datetime] = field(default_factory=dict[str, datetime])

    def incomplete_since(self, sql: str) -> datetime | None:
        """Return until when the data of a statement is there; None if nothing is missing.

        A statement without the period does not depend on it.
        """
        if not self.since or not placeholders(sql) & PERIOD_PARAMETERS:
            return None
        found = joined_names(self.reads[sql]) & self.since.keys()
        return min((self.since[each] for each in found), default=None)

    def text(self, sql: str) -> str:
        """Return the same as text for readers; empty if nothing is missing."""
        since = self.incomplete_since(sql)
        return incomplete_text(since, self.run.end, self.run.report.timezone) if since else ""


def partial_period(run: ReportRun, reads: PartReads) -> PartialPeriod:
    """Return what is missing of the period of a run.

    Of a preliminary run, whose period is not over, and of a report that wants partial periods, nothing is.
    """
    depending = [sql for sql in reads if placeholders(sql) & PERIOD_PARAMETERS]
    if run.is_preliminary or run.report.include_partial or not depending:
        return PartialPeriod(run, reads)
    relations = joined_names(each for sql in depending for each in reads[sql])
    with warehouse() as connection:
        return PartialPeriod(run, reads, incomplete_relations(connection, relations, run.end))
