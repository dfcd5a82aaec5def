"""A message for many alerts has the state of each from its columns, and what to do about it."""

from typing import Any

import pytest

from analytics_worker.delivery import deliver_due
from analytics_worker.delivery.channels.card import is_usable_url
from analytics_worker.delivery.digest import digest_content, group_content
from flows.alerts.rules.model import Rule
from tests.flows.alerts.rules import METRIC, last_content, rule, set_metric, store, tick
from tests.support.naughty_strings import NAUGHTY

ANN = "ann@example.com"
BELL = "\x07"


def to_ann(name: str, **fields: Any) -> Rule:
    return rule(name, METRIC, **{"channels": [{"email": [ANN]}], "owner": None, **fields})


def sent(smtp_sink) -> list[tuple[str, list[str]]]:
    """Send due messages; return subject and lines of the text of all that were sent."""
    deliver_due()
    return [(str(each.mail["Subject"]), lines(each.mail)) for each in smtp_sink.messages]


def lines(mail) -> list[str]:
    return mail.get_body(("plain",)).get_content().replace("\r\n", "\n").splitlines()[2:]


def row(**columns: Any) -> dict[str, Any]:
    names = ("url", "rule", "runbook", "owner")
    standard = {"kind": "firing", "severity": "critical", "subject": "[CRITICAL] r: 11"}
    return dict.fromkeys(names) | standard | columns


@pytest.mark.usefixtures("environment", "default_channels")
def test_the_label_is_that_of_the_worst_rule_whatever_its_template_says(smtp_sink):
    set_metric(11)
    bounds = {"threshold": None, "warning": 10}
    store(
        to_ann("a", template={"subject": "T [{{ label }}]"}, **bounds),
        to_ann("b", **bounds),
        to_ann("c", template={"subject": "Sales fell"}, **bounds),
    )
    tick(0)
    store(to_ann("b", **bounds))
    tick(1)
    assert sent(smtp_sink) == [
        (
            "[WARNING] 3 alerts: T [WARNING] and 2 more",
            ["- T [WARNING]", "- [WARNING] b: 11 (value > 10)", "- warning: Sales fell"],
        ),
        (
            "[ENDED] 2 alerts ended: T [ENDED] and 1 more",
            ["- T [ENDED]", "- ended: Sales fell"],
        ),
    ]


@pytest.mark.usefixtures("environment", "default_channels")
def test_each_alert_has_its_runbook_and_owner(smtp_sink):
    set_metric(11)
    store(
        to_ann("a", runbook="https://rb.example/1", owner="ops@example.com"),
        to_ann("b", runbook=f"Call\n- [CRITICAL] fake{BELL}" + "x" * 400),
        to_ann("c"),
    )
    tick(0)
    ((_, text),) = sent(smtp_sink)
    assert text[:3] == [
        "- [CRITICAL] a: 11 (value > 10)",
        "  Runbook: https://rb.example/1",
        "  Owner: ops@example.com",
    ]
    assert text[3] == "- [CRITICAL] b: 11 (value > 10)"
    assert text[4].startswith("  What to do: Call⏎- [CRITICAL] fake\ufffdx")
    assert len(text[4]) < 330
    assert text[5:] == ["- [CRITICAL] c: 11 (value > 10)"]
    content = last_content()
    assert content["items"][0] == (
        "[CRITICAL] a: 11 (value > 10) | Runbook: https://rb.example/1 | Owner: ops@example.com"
    )
    assert content["links"] == [{"label": "Runbook: a", "url": "https://rb.example/1"}]
    assert content["json"]["messages"][0]["owner"] == "ops@example.com"


def test_run_and_runbook_are_both_linked():
    run = "https://ui/runs/1"
    rows = [row(url=run, rule=f"r{n}", runbook=f"https://rb.example/{n}") for n in range(2)]
    content = group_content(rows, "alerts")
    assert [each.url for each in content.links] == [
        run,
        "https://rb.example/0",
        "https://rb.example/1",
    ]
    assert f"r: 11 {run}\n  Runbook: https://rb.example/1\n" in content.text


def test_an_address_that_no_receiver_accepts_is_a_text():
    content = group_content([row(runbook="javascript:alert(1)"), row()], "alerts")
    assert "  What to do: javascript:alert(1)\n" in content.text
    assert content.links == ()


@pytest.mark.parametrize("naughty", NAUGHTY.values(), ids=NAUGHTY)
def test_no_text_adds_a_line_or_a_link(naughty: str):
    hostile = row(**dict.fromkeys(("subject", "rule", "runbook", "owner"), naughty))
    content = group_content([hostile, row()], "alerts")
    (*details, other) = content.text.splitlines()[3:]
    assert other == "- [CRITICAL] r: 11"
    assert all(each.startswith(("  What to do: ", "  Runbook: ", "  Owner: ")) for each in details)
    assert all(is_usable_url(each.url) for each in content.links)
    assert all(len(item) < 400 for item in content.items)


def test_failures_have_no_severity_in_a_backlog():
    failed = row(kind="error", severity="warning", subject="[ERROR] WORK: no such table")
    content = digest_content([failed, row(), row(kind="no_data", subject="[NO DATA] r")])
    assert content.subject == "[digest] 3 messages: 2 critical, 1 error"
    assert content.items == (
        "[ERROR] WORK: no such table",
        "[CRITICAL] r: 11",
        "critical: [NO DATA] r",
    )
