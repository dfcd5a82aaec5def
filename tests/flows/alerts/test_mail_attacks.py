"""Header injection by data: keys and errors of alerts, up to the mail server."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from analytics_worker.delivery import deliver_due
from analytics_worker.settings import settings
from analytics_worker.text import one_line, value_line
from flows.alerts.evaluation.samples import MAX_KEY_BYTES
from tests.flows.alerts.rules import rule, store, store_events, tick
from tests.support.attacks import attack
from tests.support.header_attacks import IN_DATABASE
from tests.support.received_emails import assert_is_one_email, part_text
from tests.support.smtp_sink import Received
from tests.support.sql import execute

pytestmark = pytest.mark.usefixtures("default_channels")

ANN, OWNER = "ann@example.com", "owner@example.com"
TEXTS = list(IN_DATABASE.values())


@pytest.fixture(autouse=True)
def _customers(default_channels):  # noqa: ARG001  # its database
    execute("create table analytics.customers (number integer, name text)")
    execute("grant select on analytics.customers to analytics_reader")
    for number, name in enumerate(TEXTS):
        execute("insert into analytics.customers values (:number, :name)", number=number, name=name)


def labels(text: str) -> list[str]:
    """Return the text before the colon at the start of each line."""
    return re.findall(r"(?m)^(\w+): ", text)


def by_subject(messages: Sequence[Received]) -> dict[str, Received]:
    return {str(each.mail["Subject"]): each for each in messages}


def per_customer(**fields):
    return rule(
        sql="select name, 11 as value from analytics.customers",
        key_columns=["name"],
        group_by=["name"],
        value="value",
        **fields,
    )


@attack(
    by="data",
    what="A customer's name with a header, line ends or control characters, as the key of an alert that is emailed",
    answer="Subject, text and HTML show it as one line; no header, no line `Severity: ok`, no markup",
)
def test_keys_in_emails(smtp_sink):
    store(per_customer(channels=[{"email": [ANN]}]))
    tick(0)
    assert deliver_due()["sent"] == len(TEXTS) == len(smtp_sink.messages)
    received = by_subject(smtp_sink.messages)
    for text in TEXTS:
        key = value_line(text)
        shown = f" ({key})" if key else ""
        prefix = f"[CRITICAL] r{shown}: "
        subject = one_line(prefix + (f"{key} at 11 (value > 10)" if key else "11 (value > 10)"))
        email = assert_is_one_email(received[subject], subject)
        plain, html = part_text(email, "text/plain"), part_text(email, "text/html")
        assert labels(plain) == [
            "Rule",
            "Severity",
            "Condition",
            *(["Key"] if key else []),
            "Value",
            "Since",
            "Owner",
        ]
        assert f"Rule:      r{shown}\n" in plain.replace("\r\n", "\n")
        assert re.search(r"<(script|h1>pay|img|https)", html) is None


@attack(
    by="data",
    what="The same names in the error of a rule's SQL, which quotes the value",
    answer="One line `Error:` in the text, escaped in the HTML",
)
def test_errors_in_emails(smtp_sink):
    sql = "select cast(name as integer) as value from analytics.customers where number = {}"
    names, rules = [f"r{number}" for number in range(len(TEXTS))], []
    owners = {
        name: f"owner-of-{name}@example.com" for name in names
    }  # errors of one owner are grouped
    for number, (name, owner) in enumerate(owners.items()):
        rules.append(rule(name, sql.format(number), channels=[{"email": [ANN]}], owner=owner))
    store_events(*rules)
    tick(0)
    assert deliver_due()["sent"] == len(TEXTS) == len(smtp_sink.messages)
    for received in smtp_sink.messages:
        email = assert_is_one_email(received, str(received.mail["Subject"]))
        assert str(email["To"]) in owners.values()
        assert str(email["Subject"]).startswith("[ERROR] r")
        plain, html = part_text(email, "text/plain"), part_text(email, "text/html")
        assert labels(plain) == ["Rule", "Error", "Since", "Owner"]
        assert re.search(r"<(script|h1>pay|img|https)", html) is None


@attack(
    by="data",
    what="The same names in the email to the owner of a rule whose message could not be delivered",
    answer="Quoted as one line; the email has the same headers as any other",
)
def test_undelivered_emails(smtp_sink):
    smtp_sink.refuse(ANN, 550)
    store(per_customer(channels=[{"email": [ANN]}]))
    tick(0)
    counts = deliver_due()
    assert (counts["failed"], counts["sent"]) == (len(TEXTS), len(TEXTS))
    for received in smtp_sink.messages:
        subject = str(received.mail["Subject"])
        email = assert_is_one_email(received, subject, "Content-Transfer-Encoding")
        assert subject.startswith("Not delivered: [CRITICAL] r")
        assert labels(part_text(email, "text/plain")) == ["Message", "Channel"]


@attack(
    by="data",
    what="The same names in the JSON of webhooks and in their headers",
    answer="JSON text with the exact value; the headers are the same for all requests, keys are ASCII",
)
def test_keys_in_webhooks(http_sink):
    store(per_customer(channels=["webhook"]))
    tick(0)
    assert deliver_due()["sent"] == len(TEXTS)
    keys = sorted(request.json["worst"][0]["key"] for request in http_sink.requests)
    exact = [text for text in TEXTS if len(text.encode()) <= MAX_KEY_BYTES]
    assert [key for key in keys if "… #" not in key] == sorted(exact)
    assert len({*keys}) == len(TEXTS)
    names = {frozenset(request.headers) for request in http_sink.requests}
    assert len(names) == 1
    assert all(re.fullmatch(r"[!-~]+", request.key) for request in http_sink.requests)


@attack(
    by="data",
    what="The same names in a Slack message: links, mentions of a channel, control characters",
    answer="Escaped for Slack; no link, no mention",
)
def test_keys_in_slack(http_sink, monkeypatch):
    monkeypatch.setenv("ALERT_SLACK_URL", http_sink.url)
    settings.cache_clear()
    store(per_customer(channels=["slack"]))
    tick(0)
    assert deliver_due()["sent"] == len(TEXTS)
    for request in http_sink.requests:
        assert not set(request.json["text"]) & set("<>")
        texts = list(strings(request.json))
        assert not set("".join(text for _, text in texts)) & set("\r\x1b\u202e")
        assert not {text for kind, text in texts if kind == "mrkdwn" and set(text) & set("<>")}
        assert any("value &gt; 10" in text for _, text in texts)


def strings(value: Any, kind: str = "") -> Iterator[tuple[str, str]]:
    """Yield all texts of a message, each with the type of its object."""
    match value:
        case str():
            yield kind, value
        case dict():
            for each in value.values():
                yield from strings(each, str(value.get("type", "")))
        case list():
            for each in value:
                yield from strings(each, kind)
        case _:
            pass
