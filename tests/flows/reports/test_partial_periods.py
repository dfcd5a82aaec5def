"""Parts of reports of which data is missing say so, tiles without a number; without evidence, nothing is withheld."""

import json
import zipfile
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest

from analytics_worker.delivery import deliver_due
from analytics_worker.settings import settings
from flows.reports.runs.manual import run_now
from tests.flows.reports.reports import attachment, body, report
from tests.support.sql import execute
from tests.support.trust_records import incomplete

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


def complete(
    through: datetime,
    *missing: tuple[datetime, int],
    known: bool = True,
    measured_at: datetime | None = None,
) -> None:
    """Store through when the source is complete, and the hours that lack rows, as measured now or then."""
    rows = json.dumps([{"hour": str(hour), "rows": n} for hour, n in missing])
    execute(
        "insert into ops.completeness (schema_name, relation_name, complete_through, basis, limited_by, measured_at)"
        " values ('raw', 'Orders', :through, 'declared column', 'raw.Orders', now())",
        through=through,
    )
    execute(
        "insert into ops.event_time_measurements (schema_name, relation_name, column_name, origin, complete_through,"
        " measured_at, missing) values ('raw', 'Orders', 'at', 'dbt', :through, :measured_at, cast(:rows as jsonb))",
        through=through,
        measured_at=measured_at or datetime.now(UTC),
        rows=rows if known else None,
    )


def tiles(
    http_sink, sql: str = OF_PERIOD, *, so_far: bool = False, of: str = "sales", **fields: object
):
    """Return the tile of a daily report as the webhook has it."""
    defined = [{"title": "T", "sql": sql, **fields}]
    run_now(report(of, tiles=defined, recipients=WEBHOOK), None, so_far=so_far)
    deliver_due("reports")
    (tile,) = http_sink.requests[-1].json["tiles"]
    return {name: tile[name] for name in tile if name in INCOMPLETE}


def test_a_period_that_lacks_rows_has_no_number(http_sink):
    complete(NOON, (NOON, 6), (NOON + HOUR, 4))
    assert tiles(http_sink) == INCOMPLETE


def test_a_report_that_is_due_before_the_next_measurement_uses_the_last_one(http_sink):
    complete(NOON, (NOON, 60), measured_at=TODAY - timedelta(minutes=4))
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


BY_DAY = (
    'select at::date as day, count(*) as orders from raw."Orders"'
    " where at >= :period_end::timestamptz - interval '2 days' and at < :period_end group by 1 order by 1"
)
BY_NAME = BY_DAY.replace("at::date as day", "to_char(at, 'DD Mon') as day")
YESTERDAY = f"{NOON:%Y-%m-%d}"
MARKED = "incomplete: data until 12:00"


def page(smtp_sink, **fields: Any) -> str:
    """Return the page of a daily report in its email."""
    run_now(report(**{"format": "html", **fields}), None)
    deliver_due("reports")
    return body(smtp_sink.messages[-1], "html")


@pytest.mark.parametrize("sql", [BY_DAY, BY_NAME], ids=["dates", "texts"])
def test_a_chart_is_dashed_to_the_day_that_lacks_rows(smtp_sink, sql):
    complete(NOON, (NOON, 60))
    chart = {"title": "Orders", "kind": "line", "sql": sql}
    found = page(smtp_sink, charts=[chart])
    assert f"<strong>{MARKED} (dashed)</strong>" in found
    assert MARKED not in page(smtp_sink, name="asked for", charts=[chart], include_partial=True)


def test_bars_of_texts_have_no_mark_but_the_chart_says_until_when_data_is_there(smtp_sink):
    complete(NOON, (NOON, 60))
    found = page(smtp_sink, charts=[{"title": "Orders", "sql": BY_NAME}])
    assert f"<strong>{MARKED}</strong>" in found


def test_the_row_of_the_day_that_lacks_rows_is_marked(smtp_sink):
    complete(NOON, (NOON, 60))
    found = page(smtp_sink, sql=BY_DAY)
    before = f"{NOON - DAY:%Y-%m-%d}"
    assert (f">{YESTERDAY} *</td>" in found, f">{before}</td>" in found) == (True, True)
    assert f"<strong>* {MARKED}</strong>" in found


def test_the_message_of_a_file_says_that_its_table_lacks_rows():
    complete(NOON, (NOON, 60))
    (made,) = run_now(report(sql=BY_DAY), None)
    assert made.get("notes") == [f"sales: {MARKED}"]
    (asked,) = run_now(report("asked for", sql=BY_DAY, include_partial=True), None)
    assert asked.get("notes") == []


def test_a_change_is_not_shown_if_what_it_compares_with_lacks_rows(http_sink):
    execute("create table raw.plans as select 10 as planned, now() as at")
    execute("grant select on raw.plans to analytics_reader")
    previous = "select sum(planned) from raw.plans where at > :period_start"
    complete(TODAY)
    assert tiles(http_sink, previous=previous)["previous"] == 10
    incomplete("raw", "plans", f"{NOON - DAY}")
    found = tiles(http_sink, of="lacking", previous=previous)
    assert (found["value"], found["previous"]) == (24, None)


def test_a_workbook_says_on_its_sheet_of_notes_that_a_table_lacks_rows(smtp_sink):
    complete(NOON, (NOON, 60))
    run_now(report(sql=BY_DAY, format=["html", "xlsx"]), None)
    deliver_due("reports")
    (received,) = smtp_sink.messages
    workbook = zipfile.ZipFile(BytesIO(attachment(received)))
    assert f"sales: {MARKED}" in workbook.read("xl/worksheets/sheet2.xml").decode()
    assert f"sales: {MARKED}" not in body(received)
