"""Old variables are still read, and the exporter's queries are correct."""

import subprocess
import sys

from analytics_worker.database.connections import warehouse
from analytics_worker.delivery import deliver_due
from analytics_worker.delivery.statements import execute
from analytics_worker.settings import settings
from tests.support.deliveries import email_recipient, webhook_recipient


def test_old_names_are_read_and_name_their_replacement(monkeypatch):
    monkeypatch.setenv("ALERT_DELIVERY_ATTEMPTS", "3")
    monkeypatch.setenv("ALERT_DELIVERY_MAX_HOURS", "2")
    monkeypatch.setenv("DELIVERY_MAX_AGE_HOURS", "5")
    current = settings()
    assert (current.delivery_max_attempts, current.delivery_max_age_hours) == (3, 5)
    assert current.delivery_concurrency == 1
    assert current.replaced_variables() == [
        "ALERT_DELIVERY_ATTEMPTS: Deprecated: set DELIVERY_MAX_ATTEMPTS.",
        "ALERT_DELIVERY_MAX_HOURS: Deprecated: set DELIVERY_MAX_AGE_HOURS.",
    ]


def test_importing_the_package_is_fast_and_opens_nothing():
    script = (
        "import sys, analytics_worker.delivery as d;"
        "assert not {'prefect', 'sqlalchemy', 'httpx'} & set(sys.modules);"
        "assert callable(d.enqueue) and d.Message and d.AttachmentUnavailableError"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_the_exporter_s_queries(deliveries, http_sink, smtp_sink):
    smtp_sink.refuse("ann@example.com", 451)
    http_sink.answer(429, times=1, Retry_After="60")
    deliveries.add(webhook_recipient("slack"))
    deliveries.add(email_recipient("ann"), domain="reports")
    deliver_due()
    with warehouse() as connection:
        counted = execute(connection, "metric_deliveries")
        backlog = execute(connection, "metric_backlog")
        unheard = execute(connection, "metric_unheard")
    assert [tuple(row.values()) for row in counted] == [
        ("email", "reports", "pending", 1),
        ("slack", "alerts", "pending", 1),
    ]
    assert [(row["channel"], row["messages"], row["paused"]) for row in backlog] == [
        ("email", 1, False),
        ("slack", 1, True),
    ]
    assert unheard == []


def test_every_column_has_a_comment(deliveries):
    missing = deliveries.run(
        "select c.table_name, c.column_name from information_schema.columns as c"
        " where c.table_schema = 'ops'"
        " and c.table_name in ('messages', 'deliveries', 'delivery_channels')"
        " and col_description(('ops.' || c.table_name)::regclass, c.ordinal_position) is null"
    )
    assert missing == []
