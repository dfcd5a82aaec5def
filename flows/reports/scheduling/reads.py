"""Store which relations and columns the reports read, so that incidents find what they fail for.

Plans the SQL of new and changed reports as their reader; reads no rows. Writes ops.unit_reads. A report with
a statement that can't be planned keeps what it was known to read.
"""

from datetime import UTC, datetime

from sqlalchemy import RowMapping

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.errors import PermanentError
from analytics_worker.lineage.unit_reads import Reads, plan_units, save_reads
from flows.reports.definitions.model import Report
from flows.reports.scheduling.read_relations import planned_relations
from flows.reports.scheduling.report_periods import last_report_period


def record_reads() -> int:
    """Plan the reports whose reads are not known, 20 at most; return how many."""
    with warehouse() as connection:
        rows = run_sql(connection, "reports/reports_to_plan")
    reads = plan_units(rows, _reader, _reads)
    with warehouse() as connection:
        save_reads(connection, "report", reads)
    return len(reads)


def _reader(row: RowMapping) -> str | None:
    return Report.model_validate_json(row["definition"]).reader


def _reads(row: RowMapping) -> Reads:
    report = Report.model_validate_json(row["definition"])
    planned = planned_relations(report, last_report_period(report, datetime.now(UTC)))
    if planned.errors:
        raise PermanentError(planned.errors[0])
    return Reads(planned.relations, planned.columns)
