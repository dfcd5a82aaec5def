"""Single reports: generated once per period with a schedule, otherwise once per flow run."""

import pytest
from prefect import get_client
from prefect.client.schemas.sorting import ArtifactSort

from analytics_worker.settings import settings
from flows.reports import generate_single_report
from flows.reports.output import ui_artifacts
from flows.reports.runs.manual import run_now
from tests.flows.reports.reports import ANN, body, report, runs
from tests.support.sql import execute, query

pytestmark = pytest.mark.usefixtures("prefect_api", "report_folder")

DATA = {"id": 7, "name": "Single", "query": "select 1 as n", "format": "csv", "recipients": [ANN]}


def artifacts() -> dict[str, object]:
    with get_client(sync_client=True) as client:
        newest = client.read_artifacts(sort=ArtifactSort.CREATED_DESC)
        return {str(each.key or each.type): each for each in reversed(newest)}


def test_report_with_a_schedule_is_generated_once_per_period(smtp_sink):
    for _ in range(2):
        generate_single_report(DATA | {"schedule_type": "monthly"})
    assert runs() == [("single/7", "", "ready")]
    assert len(smtp_sink.messages) == 1


def test_report_without_a_schedule_is_generated_on_every_request(smtp_sink):
    for _ in range(2):
        assert generate_single_report(DATA)["reports"][0]["status"] == "ready"
    assert len(smtp_sink.messages) == len(set(smtp_sink.ids())) == 2


def test_payload_accepts_the_keys_of_a_definition(smtp_sink):
    fields = {
        "format": ["html", "xlsx"],
        "parameters": {"least": 2},
        "queries": [
            {"title": "T", "sql": "select n from generate_series(1, 3) n where n >= :least"}
        ],
        "tiles": [{"title": "Sum", "sql": "select 5"}],
        "max_rows": 1,
    }
    data = {key: value for key, value in DATA.items() if key != "query"}
    (result,) = generate_single_report(data | fields)["reports"]
    assert (result["rows"], result["truncated"]) == (1, True)
    assert "T: only the first 1 rows; there are more." in result["notes"]
    assert len(smtp_sink.messages) == 1


def test_ui_has_a_link_to_each_file():
    data = DATA | {"name": "Linked", "format": ["csv", "json"]}
    (result,) = generate_single_report(data)["reports"]
    artifact = artifacts()["report-linked"]
    assert "Linked of" in artifact.description  # pyright: ignore[reportAttributeAccessIssue]
    assert any(name.rpartition("/")[2] in str(artifact.data) for name in result["files"])  # pyright: ignore[reportAttributeAccessIssue]


def test_long_export_shows_its_progress(monkeypatch):
    monkeypatch.setattr(ui_artifacts, "UPDATE_SECONDS", 0.0)
    generate_single_report(DATA | {"query": "select n from generate_series(1, 200000) n"})
    assert artifacts()["progress"].data == 100.0  # pyright: ignore[reportAttributeAccessIssue]


def test_data_is_as_old_as_the_least_recently_refreshed_view(smtp_sink):
    for name, day in (("old", 20), ("new", 23)):
        execute(f"create materialized view analytics.{name} as select 1 as n")
        execute(f"grant select on analytics.{name} to analytics_reader")
        execute(
            "insert into ops.refresh_log (schema_name, view_name, view_oid, status, reason, started_at)"
            " values ('analytics', :name, 1, 'success', 'x', cast(:at as timestamptz))",
            name=name,
            at=f"2026-11-{day} 05:13+00",
        )
    execute("create view public.both as select old.n from analytics.old cross join analytics.new")
    execute("grant select on public.both to analytics_reader")
    execute("create table analytics.plain as select 1 as n")
    execute("grant select on analytics.plain to analytics_reader")
    for sql in ("select n from public.both", "select n from analytics.new"):
        generate_single_report(DATA | {"query": sql})
    generate_single_report(DATA | {"query": "select n from analytics.plain"})
    ages = [body(each).strip().splitlines()[-1].split(".")[0] for each in smtp_sink.messages]
    assert ages == [
        "Data last changed 2026-11-20 05:13 UTC",
        "Data last changed 2026-11-23 05:13 UTC",
        "Data as of unknown",
    ]


def test_a_report_is_complete_through_what_it_reads(smtp_sink):
    for name in ("sales", "visits", "lookup"):
        execute(f"create table analytics.{name} as select 1 as n")
        execute(f"grant select on analytics.{name} to analytics_reader")
    execute(
        "insert into ops.completeness (schema_name, relation_name, complete_through, basis, measured_at) values"
        " ('analytics', 'sales', '2026-11-25 12:00+00', 'declared column', now()),"
        " ('analytics', 'visits', '2026-11-26 00:00+00', 'declared column', now()),"
        " ('analytics', 'lookup', now(), 'last change', now())"
    )
    for tables in ("sales cross join analytics.visits v", "visits cross join analytics.lookup l"):
        generate_single_report(DATA | {"query": f"select 1 as n from analytics.{tables}"})
    ages = [
        body(each).strip().splitlines()[-1].split(" Questions")[0] for each in smtp_sink.messages
    ]
    assert ages == [
        "Complete through 2026-11-25 12:00 UTC · no incident.",
        "Complete through 2026-11-26 00:00 UTC (not known of all sources) · no incident.",
    ]
    page = body(smtp_sink.messages[0], "html")
    assert "Complete through 2026-11-25 12:00 UTC" in page


def test_manual_run_is_not_repeated_for_the_same_period():
    (first,), (second,) = run_now(report(), "2026-11-24"), run_now(report(), "2026-11-24")
    assert (first["status"], second["status"]) == ("ready", "skipped")
    assert f"to resend it: reports resend {first['run']}" in str(second.get("reason"))
    assert query("select count(*) from ops.report_runs") == [1]


def test_result_names_what_its_deliveries_wait_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("ALERT_EMAIL_HOST")
    settings.cache_clear()
    result = generate_single_report(DATA)
    expected = "0 messages sent, 1 waiting for configuration (Channel 'email' is not configured: set ALERT_EMAIL_HOST"
    assert expected in result["message"]
    assert result["delivery"]["waiting_for_configuration"] == 1


def test_columns_change_what_readers_see_and_not_the_data(smtp_sink, report_folder):
    columns = {"n": {"title": "Number", "unit": "€", "total": True}, "k": {"hidden": True}}
    data = DATA | {"query": "select 1 as n, 'x' as k", "format": ["html", "csv"]}
    generate_single_report(data | {"columns": columns})
    (received,) = smtp_sink.messages
    page = body(received, "html")
    assert "Number" in page
    assert "<strong>€1</strong>" in page
    assert ">x<" not in page
    (csv,) = report_folder.glob("*.csv")
    assert csv.read_text() == "n,k\n1,x\n"


def test_unknown_column_fails_the_report_and_names_a_similar_one(smtp_sink):
    data = DATA | {"query": "select 1 as revenue", "columns": {"revenu": {"total": True}}}
    result = generate_single_report(data | {"owner": "owner@example.com"}, return_state=True)
    assert not result.is_completed()
    (received,) = smtp_sink.messages
    assert "the query has no column 'revenu'; did you mean 'revenue'?" in body(received)


def test_columns_that_a_page_lacks_are_noted():
    columns = ", ".join(f"'{'x' * 40}' as column_{number}" for number in range(400))
    data = DATA | {"query": f"select {columns}", "format": "html"}
    (result,) = generate_single_report(data)["reports"]
    (note,) = result["notes"]
    assert note.startswith("Single: The first ")
    assert note.endswith(" of 400 columns.")
    assert result["truncated"]
