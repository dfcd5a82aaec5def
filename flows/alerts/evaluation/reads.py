"""Store which relations the rules read, so that incidents find what they fail for.

Plans the SQL of new and changed rules as their reader; reads no rows. Writes ops.unit_reads. A rule that
can't be planned keeps what it was known to read.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from pydantic import ValidationError
from sqlalchemy import RowMapping

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.database.reader_sessions import ReaderSession, reader_sessions
from analytics_worker.errors import PermanentError
from analytics_worker.lineage.unit_reads import UnitReads, pairs, save_reads
from flows.alerts.rules.model import Rule
from flows.alerts.rules.validation import NOW


def record_reads() -> int:
    """Plan the rules whose reads are not known, 100 at most; return how many."""
    with warehouse() as connection:
        rows = run_sql(connection, "alerts/rules_to_plan")
    if not rows:
        return 0
    with reader_sessions() as session_for:
        reads = [_reads(row, session_for) for row in rows]
    with warehouse() as connection:
        save_reads(connection, "rule", reads)
    return len(reads)


def _reads(row: RowMapping, session_for: Callable[[str | None], ReaderSession]) -> UnitReads:
    try:
        rule = Rule.model_validate_json(row["definition"])
        values = {**rule.parameters, NOW: datetime.now(UTC)}
        names = session_for(rule.reader).relations(rule.sql, values) if rule.sql else []
    except (PermanentError, ValidationError):
        return UnitReads(row["name"], None)
    return UnitReads(row["name"], pairs(names), row["definition_hash"])
