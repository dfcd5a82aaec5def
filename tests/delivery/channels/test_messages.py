"""Each receiver gets each kind of message, and the messages of one topic belong together."""

from typing import Any

import pytest

from analytics_worker.delivery.message import Content
from analytics_worker.transport import smtp_session
from tests.delivery.channels.naughty_table import shown_by
from tests.support.receivers.all_channels import NAMES, Receivers, outgoing
from tests.support.receivers.service import Answer, json_answer
from tests.support.receivers.slack import CHANNEL
from tests.support.sample_messages import (
    DIGEST,
    FIRING,
    KEY,
    MESSAGES,
    RECOVERED,
    REPORT,
    RESOLVED,
    STILL_FIRING,
)

# apprise imports a module that Python 3.13 drops; it brings a replacement there.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@pytest.fixture
def report_file(tmp_path):
    path = tmp_path / "weekly-2026-47.csv"
    path.write_bytes(b"team,revenue\n" * 30_000)
    return {"weekly revenue.csv": path}


@pytest.mark.parametrize("content", MESSAGES.values(), ids=MESSAGES)
@pytest.mark.parametrize("name", NAMES)
def test_every_receiver_accepts_every_kind(receivers: Receivers, name: str, content: Content):
    result = receivers.send(name, content)
    assert (result.status, receivers.rejected()) == ("sent", [])


def test_slack_shows_a_title_a_color_facts_and_buttons(receivers: Receivers):
    receivers.send("slack", FIRING)
    message = receivers.slack.accepted[0]
    assert message["blocks"][0]["text"]["text"].startswith("🔴 pipeline-coverage (EMEA): 3 of 12")
    body = message["attachments"][0]
    assert body["color"] == "#c81e1e"
    context, facts, description, items, actions = body["blocks"]
    assert context["elements"][0]["text"] == "CRITICAL"
    assert facts["fields"][0]["text"] == "*Condition*\ncoverage &lt; 0.5"
    assert description["text"]["text"].startswith("*Description*\nOpen pipeline")
    assert items["text"]["text"].splitlines()[1] == "• Team Oslo: 0.42"
    buttons = [(button["text"]["text"], button["url"]) for button in actions["elements"]]
    assert buttons[0] == ("Open the run", "https://prefect.example.com/runs/flow-run/3f9c")


def test_an_incident_is_a_slack_thread_and_its_end_is_shown_in_the_channel(receivers: Receivers):
    first = receivers.send("slack-bot", FIRING)
    second = receivers.send("slack-bot", STILL_FIRING, "k-2", thread=first.receipt)
    receivers.send("slack-bot", RESOLVED, "k-3", thread=second.receipt)
    opening, update, end = receivers.slack.accepted
    assert "thread_ts" not in opening
    assert update["thread_ts"] == end["thread_ts"] == first.receipt["ts"]
    assert (update["reply_broadcast"], end["reply_broadcast"]) == (False, True)


def test_a_deleted_thread_loses_no_message(receivers: Receivers):
    receivers.slack.answer_next(json_answer(200, {"ok": False, "error": "thread_not_found"}))
    result = receivers.send("slack-bot", RESOLVED, thread={"ts": "1.1", "thread_ts": "1.1"})
    assert result.status == "sent"
    assert "thread_ts" not in receivers.slack.accepted[0]


def test_blocks_that_slack_refuses_are_sent_as_text(receivers: Receivers):
    receivers.slack.answer_next(json_answer(200, {"ok": False, "error": "invalid_blocks"}))
    assert receivers.send("slack-bot", FIRING).status == "sent"
    receivers.slack.answer_next(Answer(400, b"invalid_blocks"))
    assert receivers.send("slack", FIRING).status == "sent"
    for message in receivers.slack.accepted:
        assert "blocks" not in message
        assert "coverage &lt; 0.5" in message["text"]


def test_files_reach_slack_in_the_thread_of_their_message(receivers: Receivers, report_file: Any):
    result = receivers.send("slack-bot", REPORT, files=report_file)
    assert result.status == "sent"
    (uploaded,) = receivers.slack.uploaded.values()
    assert uploaded == report_file["weekly revenue.csv"].read_bytes()
    (shared,) = receivers.slack.shared
    assert (shared["channel_id"], shared["thread_ts"]) == (CHANNEL, result.receipt["ts"])
    assert "weekly.csv" not in str(receivers.slack.accepted)  # no link to what is attached


def test_a_failing_upload_repeats_no_message(receivers: Receivers, report_file: Any):
    receivers.slack.answer_next(Answer(503))
    assert receivers.send("slack-bot", REPORT, files=report_file).status == "temporary"
    assert receivers.slack.accepted == []
    receivers.slack.answer_next(json_answer(200, {"ok": False, "error": "file_uploads_disabled"}))
    assert receivers.send("slack-bot", REPORT, files=report_file).status == "sent"
    assert "https://files.example.com/reports/weekly.csv" in str(receivers.slack.accepted)


@pytest.mark.parametrize("name", ["slack", "teams", "pagerduty", "opsgenie", "telegram", "discord", "webhook", "email"])  # fmt: skip
def test_receivers_without_files_get_a_link(receivers: Receivers, name: str):
    receivers.send(name, REPORT)
    if name == "pagerduty":
        assert receivers.pagerduty.changes[-1]["links"][1]["href"].endswith("weekly.csv")
    else:
        assert "https://files.example.com/reports/weekly.csv" in shown_by(receivers, name)


def test_teams_shows_a_colored_title_tiles_in_columns_and_buttons(receivers: Receivers):
    receivers.send("teams", FIRING)
    receivers.send("teams", REPORT)
    alert, report = receivers.teams.accepted
    assert alert["body"][0]["style"] == "attention"
    assert alert["actions"][0]["title"] == "Open the run"
    assert len(report["body"][1]["columns"]) == 3


def test_pagerduty_opens_updates_and_resolves_one_alert(receivers: Receivers):
    assert receivers.send("pagerduty", FIRING).receipt == {"dedup_key": KEY}
    receivers.send("pagerduty", STILL_FIRING, "k-2")
    assert list(receivers.pagerduty.open) == [KEY]
    assert receivers.pagerduty.open[KEY]["payload"]["severity"] == "critical"
    receivers.send("pagerduty", RESOLVED, "k-3")
    assert (receivers.pagerduty.open, receivers.pagerduty.resolved) == ({}, [KEY])


def test_a_report_is_a_change_event_and_a_digest_is_an_alert(receivers: Receivers):
    receivers.send("pagerduty", REPORT)
    assert (len(receivers.pagerduty.changes), receivers.pagerduty.accepted) == (1, [])
    receivers.send("pagerduty", DIGEST, "digest-1")
    assert list(receivers.pagerduty.open) == ["digest-1"]


def test_opsgenie_creates_and_closes_by_alias(receivers: Receivers):
    receivers.send("opsgenie", FIRING)
    receivers.send("opsgenie", STILL_FIRING, "k-2")
    assert receivers.opsgenie.open[KEY]["priority"] == "P1"
    assert receivers.send("opsgenie", RESOLVED, "k-3").status == "sent"
    assert (receivers.opsgenie.open, list(receivers.opsgenie.closed)) == ({}, [KEY])


def test_closing_an_unknown_alias_succeeds(receivers: Receivers):
    assert receivers.send("opsgenie", RECOVERED).status == "sent"


@pytest.mark.parametrize("name", ["pagerduty", "opsgenie"])
def test_a_long_or_unusual_incident_key_stays_one_incident(receivers: Receivers, name: str):
    for odd in ("k" * 600, "a/b?c=d&e #ü", "x\ny"):
        for content in (FIRING, RESOLVED):
            changed = content.model_copy(update={"incident_key": odd})
            assert receivers.send(name, changed).status == "sent"
        assert not getattr(receivers, name).open
    assert receivers.rejected() == []


def test_telegram_replies_and_sends_documents(receivers: Receivers, report_file: Any):
    first = receivers.send("telegram", FIRING)
    receivers.send("telegram", RESOLVED, "k-2", thread=first.receipt)
    reply = receivers.telegram.accepted[1]["reply_parameters"]
    assert str(reply["message_id"]) == first.receipt["message_id"]
    receivers.send("telegram", REPORT, "k-3", files=report_file)
    (document,) = receivers.telegram.documents
    assert document["filename"] == "weekly revenue.csv"
    assert document["document"] == report_file["weekly revenue.csv"].read_bytes()


def test_telegram_follows_a_group_to_its_new_id(receivers: Receivers):
    receivers.telegram.moved_to = "-1009999999999"
    result = receivers.send("telegram", FIRING)
    assert result.status == "sent"
    assert result.receipt["chat_id"] == "-1009999999999"
    assert "set chat_id to -1009999999999" in result.detail


def test_emails_of_a_topic_refer_to_each_other(receivers: Receivers, report_file: Any):
    first = receivers.send("email", FIRING, "a.1")
    receivers.send("email", RESOLVED, "a.2", thread=first.receipt)
    receivers.send(
        "email", REPORT, "a.3", files=report_file, thread={"message_id": "odd\r\nBcc: x"}
    )
    opening, end, report = (received.mail for received in receivers.email.messages)
    assert first.receipt == {"message_id": "<a.1@example.com>"}
    assert end["In-Reply-To"] == end["References"] == opening["Message-ID"]
    assert (report["To"], report["Cc"]) == ("ann@example.com", "bob@example.com")
    assert report["In-Reply-To"] is None
    (attached,) = report.iter_attachments()
    assert attached.get_filename() == "weekly revenue.csv"


def test_the_body_of_an_email_is_encoded_once_for_all_recipients(receivers: Receivers, monkeypatch):
    encoded: list[object] = []
    encode = smtp_session.encode
    monkeypatch.setattr(
        smtp_session, "encode", lambda content: (encoded.append(content), encode(content))[1]
    )
    with receivers.channel("email").session() as send:
        for number in range(5):
            message = outgoing("email", REPORT, f"r.{number}")._replace(
                recipient=f"p{number}@x.org"
            )
            assert send(message).status == "sent"
    assert len(encoded) == 1
    assert {m.recipients[0] for m in receivers.email.messages} == {f"p{n}@x.org" for n in range(5)}


def test_a_webhook_gets_the_domain_s_json_or_all_fields(receivers: Receivers):
    receivers.send("webhook", FIRING)
    receivers.send("webhook", REPORT, "k-2")
    alert, report = (request.json for request in receivers.webhook.requests)
    assert alert == {"kind": "firing", "rule": "pipeline-coverage", "value": 0.31}
    assert report["tiles"][0]["value"] == "1,204,300 €"
    assert report["attachments"][0]["url"] == "https://files.example.com/reports/weekly.csv"


def test_numbers_that_json_does_not_support_become_text(receivers: Receivers):
    odd = FIRING.model_copy(update={"json_body": {"value": float("inf"), "all": [float("nan")]}})
    receivers.send("webhook", odd)
    assert receivers.webhook.requests[0].json == {"value": "inf", "all": ["nan"]}


def test_apprise_sends_the_severity_and_loads_no_picture(receivers: Receivers):
    receivers.send("discord", FIRING)
    (request,) = receivers.discord.requests
    assert "avatar_url" not in request.json
    assert "http" not in str({k: v for k, v in request.json.items() if k != "content"})
