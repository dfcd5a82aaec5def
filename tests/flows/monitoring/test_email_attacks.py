"""States and messages of runs can't add headers or links to the messages of monitoring."""

import re
from datetime import datetime
from uuid import UUID

import pytest

from analytics_worker.delivery import Content, Message, Recipient, send_once
from analytics_worker.lineage.graph import Node
from analytics_worker.text import one_line, value_line
from flows.monitoring.incidents.causes import Problem, Severity
from flows.monitoring.incidents.content import NoticeKind, incident_content
from flows.monitoring.incidents.reconcile import Incident
from flows.monitoring.incidents.store import IncidentRecord
from flows.monitoring.notifications.text import database_outage_content
from tests.support.attacks import attack
from tests.support.header_attacks import HEADER_ATTACKS
from tests.support.received_emails import assert_is_one_email, part_text

every_attack = pytest.mark.parametrize("text", HEADER_ATTACKS.values(), ids=HEADER_ATTACKS.keys())
AT = "2026-11-29T10:00:00+00:00"
LINES = {"opened": (9, 11), "resolved": (3, 5)}
"""Without and with an address of the run, which depends on whether there is a UI."""
RUN = "0197a1b2-0000-7000-8000-000000000000"


@pytest.fixture(autouse=True)
def _channels(variables, smtp_sink, http_sink):
    variables(
        alert_email_host=smtp_sink.host,
        alert_email_port=smtp_sink.port,
        alert_email_tls="none",
        alert_email_from="worker@example.com",
        alert_slack_url=http_sink.url,
        alert_webhook_url=http_sink.url,
    )


def deliver(content: Content, channel: str, recipient: str, key: str):
    to = Recipient(channel, recipient)
    return send_once(channel, Message("monitoring", "test", content, [to]), to, key)


def failure_content(text: str, kind: NoticeKind = "opened"):
    unit = Node("deployment", f"run-dbt-models/{text}")
    label = f"{unit.name}: {text}"
    since = datetime.fromisoformat(AT)
    problem = Problem(unit, Severity.CRITICAL, since, text, text, run_id=RUN, label=label)
    units = frozenset({unit})
    incident = Incident(UUID(int=1), unit, Severity.CRITICAL, since, units, units)
    affected = [Node("report", text)]
    record = IncidentRecord(incident, {unit: [problem]}, since, owner=text, affected=affected)
    return incident_content(record, kind, None)


@attack(
    by="API caller",
    what="The name and message of a run's state, and the name of a deployment, with headers and line ends",
    answer="One line each in the email to the operator, whose headers are those of any email",
)
@every_attack
@pytest.mark.parametrize("kind", ["opened", "resolved"])
def test_states_in_emails(smtp_sink, text, kind):
    message = failure_content(text, kind)
    assert deliver(message, "email", "ann@example.com", "k1").status == "sent"
    (received,) = smtp_sink.messages
    mail = assert_is_one_email(received, one_line(message.subject), "Content-Transfer-Encoding")
    lines = part_text(mail, "text/plain").splitlines()
    assert lines[0] == message.subject
    assert lines[1] == ""
    assert len(lines) in LINES[kind]
    assert value_line(text) in "\n".join(lines) or kind == "resolved"


@attack(
    by="API caller",
    what="The same in Slack: a link with another text, a mention of all members",
    answer="Escaped: shown as text",
)
@every_attack
def test_states_in_slack(http_sink, text):
    assert deliver(failure_content(text), "slack", "slack", "k1").status == "sent"
    (posted,) = http_sink.requests
    assert not set(posted.json["text"]) & set("<>\r\x1b\u202e")
    assert len(posted.json["text"].splitlines()) in LINES["opened"]


@attack(
    by="network",
    what="The error message of a database, with a header and a link, in email and Slack",
    answer="One line in the email; escaped in Slack",
)
@pytest.mark.parametrize("channel", ["email", "slack"])
def test_the_reason_of_an_outage(smtp_sink, http_sink, channel):
    reason = "x\r\nBcc: e@x.example\r\n\r\n<https://attacker.example|Login>"
    recipient = "ann@example.com" if channel == "email" else channel
    assert deliver(database_outage_content(AT, reason), channel, recipient, "k1").status == "sent"
    if channel == "email":
        (received,) = smtp_sink.messages
        assert_is_one_email(
            received, "[failing] the analytics database is unavailable", "Content-Transfer-Encoding"
        )
    else:
        assert "&lt;https://attacker.example|Login&gt;" in http_sink.requests[0].json["text"]


@attack(
    by="API caller",
    what="A key of a message with a line end or other characters that HTTP headers can't have",
    answer="A permanent error of that message; nothing is sent",
)
@pytest.mark.parametrize(
    "key", ["k\r\nX-Evil: 1", "k\nX: 1", "k\0", "kü", "k\u2028", "", " ", "a b", "k\ud800"]
)
def test_keys_of_webhooks(http_sink, key):
    result = deliver(failure_content("x"), "webhook", "webhook", key)
    assert (result.status, http_sink.requests) == ("permanent", [])
    assert re.search("is not a valid message key", result.detail)
