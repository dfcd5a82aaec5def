"""What people and programs read of an alert: subjects, texts, the JSON of web hooks."""

import json
import math
from datetime import timedelta
from typing import Any

import pytest

from analytics_worker.delivery.message import Content
from flows.alerts.evaluation.transition import Failure, Found
from flows.alerts.notifications.rendering import render_notice
from flows.alerts.rules.model import Rule
from tests.support.alert_run import START, TICK, Run, rule
from tests.support.attacks import attack

OWNER = "ann@example.com"


def said(of: Rule, *seen: Found | float | None) -> Content:
    """The message of the notice that the last evaluation led to."""
    run = Run(of)
    for found in seen:
        run.see(found)
    return render_notice(of, run.notice, START + (run.tick - 1) * TICK, "uid")


TEAMS: dict[str, Any] = {"key_columns": ["team"], "value": "coverage", "operator": "<", "threshold": 0.5}  # fmt: skip
EMEA, APAC = '["EMEA"]', '["APAC"]'


@pytest.mark.parametrize(
    ("fields", "seen", "subject"),
    [
        ({}, [48250.5], "[CRITICAL] r: 48,250.5 (value > 10)"),
        ({"severity": "warning"}, [11], "[WARNING] r: 11 (value > 10)"),
        ({}, [11, 40, 9], "[RESOLVED] r: over after 4m, worst value 40"),
        ({"repeat_every": "2m"}, [11, 12], "[STILL CRITICAL] r: 12 (value > 10)"),
        ({"no_data_after": "2m"}, [11, None, None], "[NO DATA] r: no data any more"),
        ({"flapping_after": 2}, [11, 9, 11], "[FLAPPING] r: now 11 (value > 10)"),
        ({"on_empty": "alert"}, [None], "[CRITICAL] r"),
        ({"measure": "change_percent", "operator": "<", "threshold": -5}, [100, 90], "[CRITICAL] r: -10 % (change < -5 %)"),
        ({"operator": "between", "threshold": [1, 5]}, [3], "[CRITICAL] r: 3 (value between 1 and 5)"),
        (TEAMS, [{EMEA: 0.4, APAC: 0.9}], "[CRITICAL] r: EMEA at 0.4 (coverage < 0.5)"),
        (TEAMS, [{EMEA: 0.4}, {EMEA: 0.7}], "[RESOLVED] r: EMEA over after 2m, worst value 0.4"),
        (TEAMS, [{EMEA: 0.4, APAC: 0.3}], "[CRITICAL] r: 2 keys, worst APAC at 0.3"),
        (TEAMS, [{EMEA: 0.4, APAC: 0.3}, {EMEA: 1.0, APAC: 1.0}], "[RESOLVED] r: 2 keys over, worst APAC at 0.3"),
        ({**TEAMS, "group_by": ["team"]}, [{EMEA: 0.4}], "[CRITICAL] r (EMEA): EMEA at 0.4 (coverage < 0.5)"),
        ({}, [Failure("no such column")], "[ERROR] r: no such column"),
        ({}, [Failure("no such column"), 1], "[ERROR RESOLVED] r: works again after 2m"),
        ({"template": {"subject": "{{ rule.name }}\n{{ worst[0].value | number }}"}}, [11], "r 11"),
    ],
)  # fmt: skip
def test_the_subject_says_what_matters(fields, seen, subject):
    assert said(rule(**fields), *seen).subject == subject


def test_an_error_says_why_one_gets_it():
    failure = Failure("no such column")
    assert "its readers were not told" in said(rule(owner=OWNER), failure).text
    assert "The rule has no owner, so its readers get this." in said(rule(), failure).text


def test_the_worst_value_is_said_when_it_is_another():
    assert "Worst:" not in said(rule(), 11).text
    assert "Worst:     40" in said(rule(), 11, 40, 9).text


def test_the_json_is_as_documented():
    facts = said(rule(description="Why", owner=OWNER), 11, 40, 9).json_body
    firing = START.isoformat()
    assert facts == {
        "event_id": "uid",
        "kind": "resolved",
        "rule": "r",
        "description": "Why",
        "owner": OWNER,
        "severity": None,
        "group": "",
        "headline": "The alert is over",
        "condition": "value > 10",
        "value": 9,
        "count": 1,
        "worst": [{"key": "", "severity": None, "value": 9, "worst": 40, "since": firing}],
        "more": 0,
        "at": (START + timedelta(minutes=4)).isoformat(),
        "since": firing,
        "duration": "4m",
        "duration_seconds": 240,
        "error": None,
        "hint": None,
    }


def test_infinity_is_text_in_json():
    facts = said(rule(), math.inf).json_body
    assert json.loads(json.dumps(facts, allow_nan=False))["value"] == "inf"


def test_a_template_that_fails_costs_a_sentence_and_not_the_notice():
    made = said(rule(template={"text": "{{ worst[7].value }}"}), 11)
    assert made.subject == "[CRITICAL] r: 11 (value > 10)"
    assert "The rule's own template failed" in made.text
    assert made.json_body is not None
    assert "The rule's own template failed" in str(made.json_body["hint"])


@attack(
    by="data",
    what="markup in a key, name or description of an alert",
    answer="escaped in the HTML of the mail",
)
def test_what_people_wrote_is_escaped_in_html():
    page = said(rule(name="<b>r", description="<script>x</script>", **TEAMS), {'["<i>"]': 0.1})
    assert page.html is not None
    assert "<script>" not in page.html
    assert "<i>" not in page.html
    assert "&lt;b&gt;r" in page.html
