"""Reports for tests, and what the database and the mail server have of them."""

from typing import Any

from flows.reports.definitions.model import Report
from flows.reports.definitions.sync import sync
from tests.support.smtp_sink import Received
from tests.support.sql import execute, query

ANN = "ann@example.com"
OWNER = "owner@example.com"


def report(name: str = "sales", sql: str | None = "select 1 as n", **fields: Any) -> Report:
    return Report.model_validate(
        {
            "name": name,
            "sql": sql,
            "schedule": "daily",
            "recipients": [ANN],
            "owner": OWNER,
            **fields,
        }
    )


def store_reports(*reports: Report) -> None:
    sync({each.name: each for each in reports})


def runs() -> list[tuple[str, str, str]]:
    """Return name, key and status of all runs."""
    return query("select report, key, status from ops.report_runs order by id")


def deliveries() -> list[tuple[str, str]]:
    """Return recipient and status of all deliveries."""
    return query("select recipient, status from ops.deliveries order by recipient, id")


def make_retries_due() -> None:
    """Make all pending deliveries due now."""
    execute(
        "update ops.deliveries set next_attempt_at = now(), refused_by = '{}'"
        " where status = 'pending'"
    )


def attachment(received: Received, number: int = 0) -> bytes:
    part = list(received.mail.iter_attachments())[number]
    return part.get_payload(decode=True)  # pyright: ignore[reportReturnType]


def body(received: Received, kind: str = "plain") -> str:
    part = received.mail.get_body((kind,))
    assert part is not None
    return str(part.get_content())
