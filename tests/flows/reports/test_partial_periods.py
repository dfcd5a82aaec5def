"""Tiles of periods of which data is missing have no number; without evidence, nothing is withheld."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from analytics_worker.delivery import deliver_due
from analytics_worker.settings import settings
from flows.reports.runs.manual import run_now
from tests.flows.reports.reports import report
from tests.support.sql import execute

pytestmark = pytest.mark.usefixtures("report_folder", "orders")

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
NOON = TODAY - DAY / 2
WEBHOOK = {"to": [], "channels": ["webhook"]}
OF_PERIOD = 'select count(*) from raw."Orders" where at >= :period_start and at < :period_end'
INCOMPLETE = {"value": None, "previous": None, "incomplete": "incomplete: data until 12:00"}


@pytest.fixture
def orders(monkeypatch, http_sink):
    """A source with an order in each hour of the last two days."""
    monkeypatch.setenv("ALERT_WEBHOOK_URL", f"{http_sink.url}/hook")
    settings.cache_clear()
    execute(
        "create table raw.\"Orders\" as select now() - n * interval '1 hour' as at from generate_series(0, 80) as n"
    )
    execute('grant select on raw."Orders" to analytics_reader')


def complete(through: datetime, *missing: tuple[datetime, int], known: bool = True) -> None:
    """Store through when the source is complete, and the hours that lack rows."""
    rows = json.dumps([{"hour": str(hour), "rows": n} for hour, n in missing])
    execute(
        "insert into ops.completeness (schema_name, relation_name, complete_through, basis, limited_by, measured_at)"
        " values ('raw', 'Orders', :through, 'declared column', 'raw.Orders', now())",
        through=through,
    )
    execute(
        "insert into ops.event_time_measurements (schema_name, relation_name, column_name, origin, complete_through,"
        " measured_at, missing) values ('raw', 'Orders', 'at', 'dbt', :through, now(), cast(:rows as jsonb))",
        through=through,
        rows=rows if known else None,
    )


def tiles(http_sink, sql: str = OF_PERIOD, *, so_far: bool = False, **fields: object):
    """Return the tile of a daily report as the webhook has it."""
    defined = [{"title": "T", "sql": sql, **fields}]
    run_now(report(tiles=defined, recipients=WEBHOOK), None, so_far=so_far)
    deliver_due("reports")
    (tile,) = http_sink.requests[-1].json["tiles"]
    return {name: tile[name] for name in tile if name in INCOMPLETE}


def test_a_period_that_lacks_rows_has_no_number(http_sink):
    complete(NOON, (NOON, 6), (NOON + HOUR, 4))
    assert tiles(http_sink) == INCOMPLETE


@pytest.mark.parametrize(
    "fields",
    [{"include_partial": True}, {"sql": 'select count(*) from raw."Orders"'}, {"so_far": True}],
    ids=str,
)
def test_what_is_asked_for_and_what_has_no_period_is_shown(http_sink, fields):
    complete(NOON, (NOON, 60))
    assert tiles(http_sink, **fields)["value"]


@pytest.mark.parametrize(
    ("through", "missing", "known"),
    [
        (NOON, [(NOON, 9)], True),
        (NOON, [], True),
        (NOON, [(NOON, 60)], False),
        (TODAY, [(TODAY, 60)], True),
    ],
    ids=["nine rows", "no rows", "warm-up", "later"],
)
def test_without_evidence_nothing_is_withheld(http_sink, through, missing, known):
    complete(through, *missing, known=known)
    assert tiles(http_sink)["value"] == 24


def test_a_view_that_was_refreshed_before_its_source_arrived(http_sink):
    """The rows that the source has and the view lacks are counted."""
    complete(TODAY + HOUR)
    execute(
        "insert into ops.event_hours select 'raw', 'Orders', cast(:noon as timestamptz) + n * interval '1 hour', 2"
        " from generate_series(0, 11) as n",
        noon=NOON,
    )
    execute('create materialized view analytics.daily as select at from raw."Orders"')
    execute("grant select on analytics.daily to analytics_reader")
    execute(
        "insert into ops.completeness (schema_name, relation_name, complete_through, basis, limited_by, measured_at)"
        " values ('analytics', 'daily', :noon, 'lineage', 'raw.Orders', now())",
        noon=NOON,
    )
    found = tiles(http_sink, OF_PERIOD.replace('raw."Orders"', "analytics.daily"))
    assert found == INCOMPLETE


def test_the_message_and_the_page_stay_readable(http_sink, smtp_sink):
    del http_sink
    complete(NOON - DAY, (NOON, 60))
    run_now(report(format="html", tiles=[{"title": "T", "sql": OF_PERIOD, "unit": "€"}]), None)
    deliver_due("reports")
    (received,) = smtp_sink.messages
    text = received.mail.get_body(("plain",)).get_content()
    assert f"T: – incomplete: data until {NOON - DAY:%Y-%m-%d} 12:00" in text
