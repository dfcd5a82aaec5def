"""A table of sales, reports on it that are sent, and what is noticed when its rows change afterwards."""

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import text

from analytics_worker.database.connections import warehouse
from analytics_worker.delivery import deliver_due
from analytics_worker.settings import settings
from flows.analytics.catalog import upsert_catalog
from flows.reports.definitions.model import Report
from flows.reports.restatement.check import RestatementCheck, check_restatements
from flows.reports.runs.manual import run_now
from flows.reports.scheduling.reads import record_reads
from tests.flows.reports.reports import OWNER, body, report, store_reports
from tests.support.smtp_sink import SmtpSink
from tests.support.sql import execute

DAY, NEXT_DAY = "2026-11-24", "2026-11-25"
OF_PERIOD = "from analytics.sales where at >= :period_start and at < :period_end"
WON = {"title": "Won", "sql": f"select sum(amount) {OF_PERIOD}", "unit": "EUR"}
BY_TEAM = {"title": "By team", "sql": f"select team, sum(amount) as won {OF_PERIOD} group by team"}
DEALS = f"select team, amount {OF_PERIOD}"


def create_sales() -> None:
    """Create two days of sales: 100 and 40 on the first, 7 on the second."""
    execute(
        "create table analytics.sales (at timestamptz, team text, amount numeric);"
        "grant select on analytics.sales to analytics_reader"
    )
    change(
        "insert into analytics.sales values ('2026-11-24 10:00Z', 'a', 100),"
        " ('2026-11-24 11:00Z', 'b', 40), ('2026-11-25 10:00Z', 'a', 7)"
    )


def sales_report(name: str = "sales", **fields: Any) -> Report:
    """Return a report with a tile, a chart and a table of its day."""
    parts: dict[str, Any] = {"sql": DEALS, "tiles": [WON], "charts": [BY_TEAM]}
    return report(name, **{"title": "Sales", **parts, **fields})


def store(*reports: Report) -> None:
    """Store reports, and what they read as the catalog knows it."""
    store_reports(*reports)
    upsert_catalog.fn(settings().analytics_schemas)
    record_reads()


def send(sent: Report, label: str = DAY) -> int:
    """Generate a report of a day and send it; return the id of the run."""
    (result, *children) = run_now(sent, label)
    assert result["status"] == "ready" or children, result
    deliver_due("reports")
    return result["run"]


def change(*statements: str) -> None:
    """Run statements; the counters of the tables show it, and the catalog has seen it, at once."""
    with warehouse() as connection:
        for statement in (*statements, "select pg_stat_force_next_flush()"):
            connection.execute(text(statement))
    upsert_catalog.fn(settings().analytics_schemas)


def check() -> RestatementCheck:
    """Compare what is due, as if the last comparison had been a day ago."""
    execute("update ops.report_comparisons set compared_at = compared_at - interval '1 day'")
    return check_restatements()


def notices(sink: SmtpSink) -> Sequence[str]:
    """Return the texts that the owner got, and forget them."""
    found = [each for each in sink.messages if each.recipients == [OWNER]]
    sink.messages[:] = [each for each in sink.messages if each not in found]
    return [body(each).replace("\r\n", "\n") for each in found]


def set_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """Set a variable of the settings."""
    monkeypatch.setenv(name, value)
    settings.cache_clear()
