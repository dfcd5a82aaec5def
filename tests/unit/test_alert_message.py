"""Messages of alerts: subject, text, HTML and the JSON of webhooks."""

import json
import math
from datetime import timedelta
from typing import Any

import pytest

from analytics_worker.delivery.message import Content
from flows.alerts.evaluation.observation import Failure
from flows.alerts.notifications.rendering import render_notification
from flows.alerts.rules.model import Rule
from tests.support.alert_run import START, TICK, Run, rule
from tests.support.attacks import attack

OWNER = "ann@example.com"


def message(of: Rule, *observations: Any) -> Content:
    """Return the message of the notification of the last evaluation."""
    run = Run(of)
    for observation in observations:
        run.evaluate(observation)
    return render_notification(of, run.notification, START + (run.tick - 1) * TICK, "uid")


TEAMS: dict[str, Any] = {"key_columns": ["team"], "value": "coverage", "operator": "<", "threshold": 0.5}  # fmt: skip
EMEA, APAC = '["EMEA"]', '["APAC"]'


@pytest.mark.parametrize(
    ("fields", "observations", "subject"),
    [
        ({}, [48250.5], "[CRITICAL] r: 48,250.5 (value > 10)"),
        ({"severity": "warning"}, [11], "[WARNING] r: 11 (value > 10)"),
        ({}, [11, 40, 9], "[RESOLVED] r: resolved after 4m (worst 40)"),
        ({"repeat_every": "2m"}, [11, 12], "[STILL CRITICAL] r: 12 (value > 10)"),
        ({"no_data_after": "2m"}, [11, None, None], "[NO DATA] r: no data"),
        ({"flapping_after": 2}, [11, 9, 11], "[FLAPPING] r: now 11 (value > 10)"),
        ({"on_empty": "alert"}, [None], "[CRITICAL] r: the value is NULL or NaN"),
        ({"on_error": "alert"}, [Failure("no such column")], "[CRITICAL] r: the SQL failed: no such column"),
        ({"no_data_after": "2m"}, [11, None, None, 12], "[CRITICAL AGAIN] r: 12 (value > 10)"),
        ({"repeat_every": "6m"}, [Failure("no such column")] * 4, "[ERROR] r: no such column (for 6m)"),
        ({"no_data_after": "4m"}, [9, None, None, None], "[MISSING DATA] r: no data for 4m"),
        ({"no_data_after": "4m"}, [9, None, None, None, 9], "[MISSING DATA RESOLVED] r: data is available again after 6m"),
        ({"measure": "change_percent", "operator": "<", "threshold": -5}, [100, 90], "[CRITICAL] r: −10% (change < −5%)"),
        ({"operator": "between", "threshold": [1, 5]}, [3], "[CRITICAL] r: 3 (value between 1 and 5)"),
        (TEAMS, [{EMEA: 0.4, APAC: 0.9}], "[CRITICAL] r: EMEA at 0.4 (coverage < 0.5)"),
        (TEAMS, [{EMEA: 0.4}, {EMEA: 0.7}], "[RESOLVED] r: EMEA resolved after 2m (worst 0.4)"),
        (TEAMS, [{EMEA: 0.4, APAC: 0.3}], "[CRITICAL] r: 2 keys, worst APAC at 0.3"),
        (TEAMS, [{EMEA: 0.4, APAC: 0.3}, {EMEA: 1.0, APAC: 1.0}], "[RESOLVED] r: 2 keys resolved (worst APAC at 0.3)"),
        ({**TEAMS, "group_by": ["team"]}, [{EMEA: 0.4}], "[CRITICAL] r (EMEA): EMEA at 0.4 (coverage < 0.5)"),
        ({}, [Failure("no such column")], "[ERROR] r: no such column"),
        ({}, [Failure("no such column"), 1], "[ERROR RESOLVED] r: recovered after 2m"),
        ({"template": {"subject": "{{ rule.name }}\n{{ worst[0].value | number }}"}}, [11], "r 11"),
    ],
)  # fmt: skip
def test_the_subject_summarizes_the_notification(fields, observations, subject):
    assert message(rule(**fields), *observations).subject == subject


def test_an_error_message_explains_its_recipient():
    failure = Failure("no such column")
    assert "its recipients were not notified" in message(rule(owner=OWNER), failure).text
    assert (
        "Sent to the recipients of the rule, because it has no owner."
        in message(rule(), failure).text
    )


def test_the_worst_value_is_shown_if_it_differs():
    assert "Worst:" not in message(rule(), 11).text
    assert "Worst:     40" in message(rule(), 11, 40, 9).text


def test_the_json_is_as_documented():
    body = message(rule(description="Why", owner=OWNER), 11, 40, 9).json_body
    firing = START.isoformat()
    assert body == {
        "event_id": "uid",
        "kind": "resolved",
        "rule": "r",
        "description": "Why",
        "owner": OWNER,
        "severity": None,
        "group": "",
        "headline": "Alert resolved",
        "condition": "value > 10",
        "value": 9,
        "value_text": "9",
        "unit": None,
        "value_at": (START + timedelta(minutes=4)).isoformat(),
        "reason": None,
        "count": 1,
        "worst": [
            {
                "key": "",
                "severity": None,
                "value": 9,
                "value_text": "9",
                "worst": 40,
                "reason": None,
                "since": firing,
                "recent_values": [],
            }
        ],
        "more": 0,
        "at": (START + timedelta(minutes=4)).isoformat(),
        "missed_at": None,
        "since": firing,
        "duration": "4m",
        "duration_seconds": 240,
        "error": None,
        "hint": None,
        "runbook": None,
        "trust": None,
        "run_url": None,
    }


def test_a_value_of_an_earlier_evaluation_has_its_time_and_the_reason():
    run = Run(rule(repeat_every="6m"))
    run.evaluate_all([11, 12])
    run.evaluate(Failure("no such\ntable"))
    assert run.evaluate(Failure("no such\ntable")) == ["still_firing"]
    content = render_notification(run.rule, run.notification, START + 3 * TICK, "uid")
    assert content.subject == "[STILL CRITICAL] r: 12 as of 2026-03-01 12:02:00 UTC (value > 10)"
    assert "Value:     12 as of 2026-03-01 12:02:00 UTC\n" in content.text
    assert "Reason:    the SQL failed: no such⏎table\n" in content.text
    assert "as of 2026-03-01 12:02:00 UTC" in (content.html or "")
    facts = {each.label: each.value for each in content.facts}
    assert facts["Value"] == "12 as of 2026-03-01 12:02:00 UTC"
    assert facts["Reason"] == "the SQL failed: no such⏎table"
    assert content.json_body is not None
    assert content.json_body["value_at"] == "2026-03-01T12:02:00+00:00"
    assert content.json_body["reason"] == "the SQL failed: no such\ntable"


@pytest.mark.parametrize(
    ("samples", "rows", "subject"),
    [
        ({}, 0, "[CRITICAL] r: no rows"),
        ({EMEA: None}, 1, "[CRITICAL] r: EMEA: the value is NULL or NaN"),
        ({EMEA: None, APAC: None}, 2, "[CRITICAL] r: 2 keys: the value is NULL or NaN"),
    ],
)
def test_a_message_says_why_there_is_no_value(samples, rows, subject):
    of = rule(**TEAMS, on_empty="alert")
    run = Run(of)
    run.evaluate(samples, rows=rows)
    assert render_notification(of, run.notification, START, "uid").subject == subject


def test_the_reason_of_each_key_is_shown_beside_it():
    of = rule(**TEAMS, on_empty="alert")
    run = Run(of)
    run.evaluate({EMEA: 0.9, APAC: 0.9})
    run.evaluate({APAC: None})
    content = render_notification(of, run.notification, START + TICK, "uid")
    assert "- EMEA: no row for this key (critical)" in content.text
    assert "- APAC: the value is NULL or NaN (critical)" in content.text
    assert content.items == (
        "EMEA: no row for this key (critical)",
        "APAC: the value is NULL or NaN (critical)",
    )


def test_infinity_is_text_in_json():
    body = message(rule(), math.inf).json_body
    assert json.loads(json.dumps(body, allow_nan=False))["value"] == "inf"


def test_a_failing_template_is_replaced_by_the_standard_message():
    content = message(rule(template={"text": "{{ worst[7].value }}"}), 11)
    assert content.subject == "[CRITICAL] r: 11 (value > 10)"
    assert "The template of the rule failed" in content.text
    assert content.json_body is not None
    assert "The template of the rule failed" in str(content.json_body["hint"])


@attack(
    by="data",
    what="markup in a key, name or description of an alert",
    answer="escaped in the HTML of the email",
)
def test_values_are_escaped_in_html():
    content = message(
        rule(name="<b>r", description="<script>x</script>", **TEAMS), {'["<i>"]': 0.1}
    )
    assert content.html is not None
    assert "<script>" not in content.html
    assert "<i>" not in content.html
    assert "&lt;b&gt;r" in content.html
