"""A report with parts that have requirements, and what its readers got."""

from typing import Any

from flows.reports.definitions.model import Report
from tests.flows.reports.reports import body, report
from tests.support.smtp_sink import Received, SmtpSink

FAILED = "1 dbt test failed (unique_orders)"
PASSED = {"tests": "passed"}
PERIOD = "where :period_start < :period_end"
ORDERS = {
    "title": "Won {x} 100%",
    "sql": f"select 4321 as n from analytics.orders {PERIOD}",
    "requires": PASSED,
}
LOST = {"title": "Lost", "sql": f"select 77 {PERIOD}"}
CHART = {
    "title": "By team",
    "sql": f"select 'a', n from analytics.orders {PERIOD}",
    "requires": PASSED,
}


def parted(name: str = "sales", **fields: Any) -> Report:
    parts: dict[str, Any] = {"tiles": [ORDERS, LOST], "charts": [CHART]}
    return report(name, **parts | fields)


def to(smtp_sink: SmtpSink, address: str) -> list[Received]:
    return [each for each in smtp_sink.messages if each.recipients == [address]]


def text_of(received: Received, kind: str = "plain") -> str:
    return " ".join(body(received, kind).split())
