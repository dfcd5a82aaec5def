"""Reports say what is known of their data: on the page, in the email, in a workbook, in chats and for programs."""

import zipfile
from io import BytesIO

import pytest

from analytics_worker.delivery import deliver_due
from analytics_worker.lineage.relations import relation
from analytics_worker.settings import settings
from flows.reports.runs.manual import run_now
from tests.flows.reports.reports import attachment, body, report
from tests.support.attacks import attack
from tests.support.smtp_sink import Received
from tests.support.sql import execute
from tests.support.trust_records import complete, data_test, incident

pytestmark = pytest.mark.usefixtures("report_folder")

SALES = ("analytics", "sales")
SQL = "select n from analytics.sales"
STAMP = "Complete through 2026-11-25 23:59 UTC · 2 tests passed · no incident"


@pytest.fixture(autouse=True)
def sales(environment: str) -> None:  # noqa: ARG001  # its database
    """A tested table, and another one that fails, which the report does not read."""
    for name in ("sales", "other"):
        execute(f"create table analytics.{name} as select 1 as n")
        execute(f"grant select on analytics.{name} to analytics_reader")
    complete(*SALES, "2026-11-25 23:59+00")
    data_test("unique_sales", SALES)
    data_test("not_null_sales", SALES)
    data_test("unique_other", ("analytics", "other"), status="failing")
    incident("relation", "analytics.other")


def sent(smtp_sink, **fields) -> Received:
    """Return the email of a report."""
    run_now(report(sql=SQL, **fields), "2026-11-24")
    assert deliver_due("reports")["sent"] == 1
    return smtp_sink.messages[-1]


def test_the_email_says_it_in_text_and_html(smtp_sink):
    email = sent(smtp_sink)
    assert f"{STAMP}. Questions:" in body(email)
    page = body(email, "html")
    assert "2 tests passed · no incident" in page
    assert 'class="bad"' not in page


def test_a_report_on_plain_tables_says_nothing_of_tests_and_incidents(smtp_sink):
    execute("create table analytics.plain as select 1 as n")
    execute("grant select on analytics.plain to analytics_reader")
    run_now(report(sql="select n from analytics.plain"), "2026-11-24")
    assert deliver_due("reports")["sent"] == 1
    assert "Data as of unknown. Questions" in body(smtp_sink.messages[-1])


@pytest.mark.parametrize("name", ["plain", "Клиенты и Co.", '"A".b', "a.b", "{x} 100%"])
def test_an_incident_of_any_name_is_named(name: str, smtp_sink):
    quoted = relation("analytics", name).name
    execute(f"create table {quoted} as select 1 as n")
    execute(f"grant select on {quoted} to analytics_reader")
    incident("relation", quoted)
    run_now(report(sql=f"select n from {quoted}"), "2026-11-24")
    assert deliver_due("reports")["sent"] == 1
    assert f"critical incident: {quoted}." in body(smtp_sink.messages[-1])


def test_a_failed_test_and_an_incident_are_named(smtp_sink):
    data_test("positive_sales", SALES, status="failing")
    incident("dbt", "test.shop.positive_sales")
    email = sent(smtp_sink)
    expected = "1 of 3 tests failed: positive_sales · critical incident: dbt test positive_sales."
    assert expected in body(email)
    bad = '<strong class="bad" style="color:#b91c1c">'
    assert f"{bad}1 of 3 tests failed: positive_sales</strong>" in body(email, "html")


def test_the_earlier_failure_of_the_report_is_no_incident_of_its_data(smtp_sink):
    incident("report", "sales")
    assert STAMP in body(sent(smtp_sink))


def test_a_workbook_has_it_on_each_printed_page(smtp_sink):
    book = zipfile.ZipFile(BytesIO(attachment(sent(smtp_sink, format=["xlsx"]))))
    assert f"sales · {STAMP}" in book.read("xl/worksheets/sheet1.xml").decode()


@attack(
    by="data",
    what="A dbt test or relation whose name is a tag, a link or a mention, in the stamp of a report",
    answer="Page and chat show it as text; the text email has it in one line",
)
def test_names_of_tests_and_incidents_are_text(smtp_sink, http_sink, monkeypatch):
    monkeypatch.setenv("ALERT_SLACK_URL", f"http://{http_sink.host}:{http_sink.port}/slack")
    settings.cache_clear()
    data_test("<b>x</b>\n<!channel>", SALES, status="failing")
    recipients = {"to": ["ann@example.com"], "channels": ["slack"]}
    run_now(report(sql=SQL, recipients=recipients), "2026-11-24")
    assert deliver_due("reports")["sent"] == 2
    (email,), (request,) = smtp_sink.messages, http_sink.requests
    page, chat = body(email, "html"), str(request.json)
    assert "&lt;b&gt;x&lt;/b&gt;" in page
    assert "<b>x</b>" not in page
    assert "&lt;!channel&gt;" in chat
    assert "<!channel>" not in chat
    assert "failed: <b>x</b>⏎<!channel> · no incident." in body(email)


def test_programs_get_the_numbers(http_sink, monkeypatch):
    monkeypatch.setenv("ALERT_WEBHOOK_URL", f"{http_sink.url}/hook")
    settings.cache_clear()
    data_test("positive_sales", SALES, status="failing")
    id_ = incident("relation", "analytics.sales", "warning")
    run_now(report(sql=SQL, recipients={"to": [], "channels": ["webhook"]}), "2026-11-24")
    assert deliver_due("reports")["sent"] == 1
    (request,) = http_sink.requests
    assert request.json["trust"] == {
        "complete_through": "2026-11-25T23:59:00+00:00",
        "is_partial": False,
        "limited_by": "analytics.sales",
        "tests_passed": 2,
        "tests_failed": 1,
        "tests_warned": 0,
        "failed_tests": ["positive_sales"],
        "tests_ran_at": "2026-11-26T03:00:00+00:00",
        "incidents": [
            {
                "id": str(id_),
                "severity": "warning",
                "cause_kind": "relation",
                "cause": "analytics.sales",
                "since": "2026-11-26T03:01:00+00:00",
            }
        ],
    }


def test_programs_are_not_given_the_last_change_as_the_age_of_the_data(http_sink, monkeypatch):
    monkeypatch.setenv("ALERT_WEBHOOK_URL", f"{http_sink.url}/hook")
    settings.cache_clear()
    execute("create table analytics.plain as select 1 as n")
    execute("grant select on analytics.plain to analytics_reader")
    execute(
        "insert into ops.catalog_relations (schema_name, relation_name, oid, kind, columns, status, data_as_of)"
        " values ('analytics', 'plain', 0, 'table', 1, 'active', '2026-11-25 12:00+00')"
    )
    fields = {"recipients": {"to": [], "channels": ["webhook"]}}
    for name, sql in (("plain", "select n from analytics.plain"), ("known", SQL)):
        run_now(report(name, sql, **fields), "2026-11-24")
    assert deliver_due("reports")["sent"] == 2
    ages = {
        each.json["report"]: tuple(
            each.json[f"data_{key}"] for key in ("as_of_label", "as_of", "changed_at")
        )
        for each in http_sink.requests
    }
    assert ages == {
        "plain": ("Data as of", "unknown", "2026-11-25T12:00:00+00:00"),
        "known": ("Complete through", "2026-11-25 23:59 UTC", None),
    }
