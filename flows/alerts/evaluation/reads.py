"""Store which relations and columns the rules read, so that incidents find what they fail for.

Plans the SQL of new and changed rules as their reader; reads no rows. Writes ops.unit_reads. A rule that
can't be planned keeps what it was known to read.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import RowMapping

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.database.reader_sessions import ReaderSession, reader_sessions
from analytics_worker.lineage.column_reads import column_reads
from analytics_worker.lineage.unit_reads import Reads, plan_units, save_reads
from flows.alerts.rules.model import Rule
from flows.alerts.rules.periods import sql_values


def record_reads() -> int:
    """Plan the rules whose reads are not known, 100 at most; return how many."""
    with warehouse() as connection:
        rows = run_sql(connection, "alerts/rules_to_plan")
    if not rows:
        return 0
    with reader_sessions() as session_for:
        reads = plan_units(rows, _reader, lambda row: _reads(row, session_for))
    with warehouse() as connection:
        save_reads(connection, "rule", reads)
    return len(reads)


def _reader(row: RowMapping) -> str | None:
    return Rule.model_validate_json(row["definition"]).reader


def _reads(row: RowMapping, session_for: Callable[[str | None], ReaderSession]) -> Reads:
    rule = Rule.model_validate_json(row["definition"])
    if not rule.sql:
        return Reads([], [])
    values = sql_values(rule, datetime.now(UTC))
    relations = session_for(rule.reader).relations(rule.sql, values)
    return Reads(relations, column_reads(rule.sql, relations))
