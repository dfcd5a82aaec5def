"""Tiles of odd numbers, types and numbers of rows, from the SQL to the message."""

import pytest

from analytics_worker.delivery import deliver_due
from analytics_worker.settings import settings
from flows.reports.runs.manual import run_now
from tests.flows.reports.reports import report

pytestmark = pytest.mark.usefixtures("report_folder", "hook")

SQL = "select 1 as n"
WEBHOOK = {"to": [], "channels": ["webhook"]}


@pytest.fixture
def hook(monkeypatch, http_sink):
    monkeypatch.setenv("ALERT_WEBHOOK_URL", f"{http_sink.url}/hook")
    settings.cache_clear()


@pytest.mark.parametrize(
    ("sql", "value"),
    [("select 'inf'::numeric", "inf"), ("select 'NaN'::float8", "NaN"),
     ("select 9007199254740993", "9007199254740993"), ("select '12'::text", 12),
     ("select 12345678901234567890.12345", "12345678901234567890.12345")],
)  # fmt: skip
def test_webhook_has_all_digits_of_a_tile(http_sink, sql, value):
    run_now(report(sql=SQL, tiles=[{"title": "T", "sql": sql}], recipients=WEBHOOK), None)
    deliver_due("reports")
    assert http_sink.requests[0].json["tiles"][0]["value"] == value


def test_a_tile_of_several_rows_is_noted_in_message_and_result(http_sink):
    tiles = [{"title": "Won", "sql": "values (1), (2)"}]
    (made,) = run_now(report(sql=SQL, tiles=tiles, recipients=WEBHOOK), None)
    deliver_due("reports")
    note = "Won: the SQL of this tile returns several rows; expected one: the first is shown."
    assert made.get("notes") == http_sink.requests[0].json["notes"] == [note]
    assert http_sink.requests[0].json["tiles"][0]["value"] == 1


def test_a_tile_of_money_names_the_cast():
    (made,) = run_now(report(sql=SQL, tiles=[{"title": "T", "sql": "select 12::money"}]), None)
    assert "is not a valid tile; expected a number: cast it to numeric" in made.get("error", "")
