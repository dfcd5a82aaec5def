"""Find out whether the data that a report waits for has arrived since its period ended.

Reads the histories of dbt and of the views, and asks the server which relations the report's SQL reads;
writes nothing. A model of dbt has arrived if a run built it, with its data, that started since the period
ended. Only the models that the SQL reads count, also through views: dbt itself skips a model if one before
it failed. What the SQL reads is tested if one of its tests ran since the period ended and it was built.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import RowMapping

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.database.reader_sessions import reader_session
from analytics_worker.database.replicas import session_replayed_until
from flows.reports.definitions.model import After, Report
from flows.reports.scheduling.read_relations import read_relations
from flows.reports.scheduling.report_periods import ReportPeriod


def missing_data(report: Report, after: After, period: ReportPeriod) -> list[str]:
    """Return what the report waits for and has not happened since its period ended."""
    relations = read_relations(report, period) if after.dbt else []
    with warehouse() as connection:
        (row,) = run_sql(
            connection,
            "reports/freshness",
            since=period.end,
            views=after.views,
            relations=relations,
        )
    missing = [f"no refresh of {view}" for view in row["stale_views"]]
    missing = [*_missing_tests(row, after), *missing]
    missing = [*_missing_models(row, after), *missing]
    return missing or _unreplayed(report, row["recorded_until"])


def _unreplayed(report: Report, recorded_until: datetime | None) -> list[str]:
    """Return what the report waits for if its reader is a replica that does not have the data yet."""
    with reader_session(report.reader) as session:
        replayed = session_replayed_until(session.connect())
    behind = replayed and recorded_until and replayed < recorded_until
    return ["no replication of it to the read replica"] if behind else []


def _missing_models(row: RowMapping, after: After) -> list[str]:
    """Return the models that were not built; if the SQL reads none, whether dbt ran at all."""
    if after.dbt and row["reads_models"]:
        return [f"no dbt run of {name}" for name in row["stale_models"]]
    return ["no dbt run"] if after.dbt == "run" and not row["dbt"] else []


def _missing_tests(row: RowMapping, after: After) -> list[str]:
    """Return what was not tested since it was built; if nothing that the SQL reads has tests, whether any ran."""
    if after.dbt != "test":
        return []
    if row["reads_tested"]:
        return [f"no dbt test of {name}" for name in row["untested"]]
    return [] if row["dbt_tests"] else ["no dbt test"]


def missing_text(missing: Sequence[str]) -> str:
    """Return what is missing as part of a sentence."""
    return f"there was {' and '.join(missing)} since the period ended"


def deadline(report: Report, due: datetime) -> datetime:
    """Return until when a report waits on the day it is due; at once if it waits for nothing."""
    if report.after is None:
        return due
    local = due.astimezone(ZoneInfo(report.timezone))
    latest = report.after.latest
    return local.replace(hour=latest.hour, minute=latest.minute, second=0).astimezone(UTC)
