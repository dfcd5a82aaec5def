"""Reports are delivered to any channel, each with its own rendering."""

import uuid

import pytest

from analytics_worker.delivery import deliver_due
from analytics_worker.delivery.routing import unreachable_owner
from analytics_worker.settings import settings
from blocks.notifications import EmailChannel
from flows.reports import generate_scheduled_reports
from flows.reports.runs.manual import run_now
from tests.flows.reports.reports import ANN, OWNER, body, report, runs, store_reports
from tests.support.sql import query

pytestmark = pytest.mark.usefixtures("report_folder")

SQL = "select n from generate_series(1, 3) as n"
TILES = [
    {
        "title": "Won <!channel>",
        "sql": "select 1250.5",
        "previous": "select 1000",
        "unit": "EUR",
        "decimals": 1,
    },
    {"title": "Same", "sql": "select 7", "previous": "select 7"},
]


@pytest.fixture
def hooks(monkeypatch, http_sink):
    """Point the channels ``webhook`` and ``slack`` to the sink."""
    monkeypatch.setenv("ALERT_WEBHOOK_URL", f"{http_sink.url}/hook")
    monkeypatch.setenv("ALERT_SLACK_URL", f"http://{http_sink.host}:{http_sink.port}/slack")
    monkeypatch.setenv("REPORT_LINK_BASE", "https://files.example.com/reports")
    settings.cache_clear()


def to(*channels, **others):
    return {"to": [], "channels": [*channels], **others}


@pytest.mark.usefixtures("hooks")
def test_webhook_has_numbers_and_links(http_sink, report_folder):
    (made,) = run_now(report(sql=SQL, tiles=TILES, recipients=to("webhook")), "2026-11-24")
    assert deliver_due("reports")["sent"] == 1
    (request,) = http_sink.requests
    (file,) = report_folder.iterdir()
    posted = request.json
    assert posted.pop("data_as_of") == "unknown"
    assert posted.pop("data_as_of_label") == "Data as of"
    assert posted.pop("data_changed_at") is None
    assert posted.pop("trust") is None
    assert posted == {
        "event": "report",
        "subject": "sales – Tuesday, 24 November 2026",
        "run": made["run"],
        "report": "sales",
        "title": "sales",
        "key": "",
        "period": "2026-11-24",
        "period_start": "2026-11-24T00:00:00+00:00",
        "period_end": "2026-11-25T00:00:00+00:00",
        "rows": 3,
        "truncated": False,
        "tiles": [
            {"title": "Won <!channel>", "value": 1250.5, "previous": 1000, "unit": "EUR"},
            {"title": "Same", "value": 7, "previous": 7, "unit": ""},
        ],
        "warnings": [],
        "notes": [],
        "files": [
            {
                "name": "sales-2026-11-24.csv",
                "format": "csv",
                "media_type": "text/csv; charset=utf-8",
                "bytes": 8,
                "rows": 3,
                "url": f"https://files.example.com/reports/{file.name}",
            }
        ],
    }


@pytest.mark.usefixtures("hooks")
def test_webhook_says_that_a_report_is_preliminary(http_sink):
    run_now(report(recipients=to("webhook")), None, so_far=True)
    assert deliver_due("reports")["sent"] == 1
    (request,) = http_sink.requests
    assert request.json["preliminary"] is True
    assert request.json["title"] == "sales (preliminary)"


@pytest.mark.usefixtures("hooks")
def test_chat_has_tiles_facts_notes_and_link(http_sink, report_folder):
    run_now(
        report(sql=SQL, tiles=TILES, notes=["Without <b>tests</b>"], recipients=to("slack")), None
    )
    assert deliver_due("reports")["sent"] == 1
    (request,) = http_sink.requests
    text = str(request.json)
    (file,) = report_folder.iterdir()
    for expected in (
        "▲ +25.1%",
        "= unchanged",
        "Won &lt;!channel&gt;",
        "Without &lt;b&gt;tests&lt;/b&gt;",
        f"https://files.example.com/reports/{file.name}",
        "Data as of",
    ):
        assert expected in text
    assert "<!channel>" not in text


@pytest.mark.usefixtures("hooks")
def test_email_and_channels_each_get_the_report_once(http_sink, smtp_sink):
    run_now(report(recipients=to("webhook", "slack", "webhook", to=[ANN])), None)
    assert deliver_due("reports")["sent"] == 3
    assert sorted(each.path for each in http_sink.requests) == ["/hook/hook", "/slack"]
    assert [each.recipients for each in smtp_sink.messages] == [[ANN]]
    assert str(smtp_sink.messages[0].mail["To"]) == ANN


def test_email_block_delivers_to_all_its_addresses(prefect_api, smtp_sink):  # noqa: ARG001
    name = f"team-{uuid.uuid4().hex[:8]}"
    EmailChannel(
        host=smtp_sink.host,
        port=smtp_sink.port,
        security="none",
        sender="reports@example.com",
        to=["a@example.com", "b@example.com"],
    ).save(name)
    run_now(report(recipients=to(name)), None)
    assert deliver_due("reports")["sent"] == 2
    assert sorted(r for each in smtp_sink.messages for r in each.recipients) == [
        "a@example.com",
        "b@example.com",
    ]
    assert all(list(each.mail.iter_attachments()) for each in smtp_sink.messages)


@pytest.mark.usefixtures("hooks")
def test_chat_names_files_that_are_too_large_to_attach(http_sink, monkeypatch, report_folder):
    monkeypatch.setenv("REPORT_MAIL_MAX_MB", "0.001")
    monkeypatch.delenv("REPORT_LINK_BASE")
    settings.cache_clear()
    run_now(report(recipients=to("slack")), None)
    deliver_due("reports")
    (file,) = report_folder.iterdir()
    assert f"at {file}" in str(http_sink.requests[0].json)


@pytest.mark.usefixtures("hooks")
def test_the_text_of_a_chat_message_does_not_call_attached_what_is_not(http_sink, monkeypatch):
    monkeypatch.delenv("REPORT_LINK_BASE")
    settings.cache_clear()
    run_now(report(recipients=to("slack")), None)
    deliver_due("reports")
    (request,) = http_sink.requests
    assert "attached" not in request.json["text"]
    assert "(not attached)" in str(request.json["attachments"])


@pytest.mark.usefixtures("hooks")
def test_an_owner_without_a_mail_server_is_replaced_by_the_default_channels(
    http_sink, monkeypatch, prefect_api  # noqa: ARG001  # where a block named email could be
):  # fmt: skip
    monkeypatch.delenv("ALERT_EMAIL_HOST")
    settings.cache_clear()
    store_reports(report(sql="select nope", recipients=to("slack")))
    assert generate_scheduled_reports(return_state=True).is_failed()
    assert {each.path for each in http_sink.requests} == {"/hook/hook", "/slack"}
    assert f"{OWNER} was not emailed" in str([each.json for each in http_sink.requests])
    assert unreachable_owner(OWNER) == (
        f"owner {OWNER} can't be emailed: ALERT_EMAIL_HOST is not set; the default"
        " channels (webhook, slack) are notified"
    )


def test_allowed_channels_and_domains(monkeypatch):
    def error(channel, **variables):
        for name in ("DOMAINS", "CHANNELS"):
            monkeypatch.setenv(f"REPORT_ALLOWED_{name}", variables.get(name, ""))
        settings.cache_clear()
        (made,) = run_now(report(f"r-{uuid.uuid4()}", recipients=to(channel)), None)
        return made.get("error")

    refused = "channel ops may not get reports: REPORT_ALLOWED_CHANNELS allows"
    assert error("ops") is None
    assert error("ops", DOMAINS="example.com") == f"{refused} none"
    assert error("ops", CHANNELS="team") == f"{refused} team"
    assert error("team", DOMAINS="example.com", CHANNELS="team") is None


@pytest.mark.usefixtures("hooks", "prefect_api")
class TestFailures:
    def test_failure_without_owner_notifies_the_default_channels(self, http_sink):
        store_reports(report(sql="select nope", owner=None))
        assert generate_scheduled_reports(return_state=True).is_failed()
        for request in http_sink.requests:
            assert "Report failed: sales" in str(request.json)
            assert 'column "nope" does not exist' in str(request.json)
        assert len(http_sink.requests) == 2
        generate_scheduled_reports(return_state=True)
        assert len(http_sink.requests) == 2, "once for each run"

    def test_message_states_that_no_notification_was_sent(self, monkeypatch, http_sink):
        for name in ("ALERT_WEBHOOK_URL", "ALERT_SLACK_URL"):
            monkeypatch.delenv(name)
        settings.cache_clear()
        store_reports(report(sql="select nope", owner=None))
        state = generate_scheduled_reports(return_state=True)
        expected = "No notification was sent: it has no owner, and there is no default channel"
        assert expected in str(state.message)
        assert query("select count(*) from ops.messages") == [0]
        monkeypatch.setenv("ALERT_WEBHOOK_URL", f"{http_sink.url}/hook")
        settings.cache_clear()
        generate_scheduled_reports(return_state=True)
        assert len(http_sink.requests) == 1, "notified as soon as a channel is configured"

    def test_unreachable_owner_falls_back_to_the_default_channels(self, smtp_sink, http_sink):
        smtp_sink.refuse(OWNER, 550)
        smtp_sink.refuse(ANN, 550)
        store_reports(report())
        state = generate_scheduled_reports(return_state=True)
        assert (state.name, runs()) == ("Partial", [("sales", "", "ready")])
        assert {request.json.get("event") for request in http_sink.requests} >= {"delivery_failed"}
        assert smtp_sink.messages == []


def test_page_names_the_owner_who_is_not_a_recipient(smtp_sink):
    run_now(report(), None)
    deliver_due("reports")
    (received,) = smtp_sink.messages
    assert f"Questions: {OWNER}" in body(received)
