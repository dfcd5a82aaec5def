"""User templates work as documented, and every template ends with a text or a clear error."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics_worker.user_templates.rendering import (
    MAX_TEXT,
    UserTemplateError,
    number_text,
    render,
    shorten_texts,
)
from flows.alerts.evaluation.state_machine import AlertState
from flows.alerts.notifications.context import MAX_TEXT_CHARACTERS, example_context
from flows.alerts.notifications.model import Notification
from flows.alerts.notifications.rendering import render_notification
from flows.alerts.rules.model import Rule
from tests.support.template_strategies import templates

CONTEXT: dict[str, Any] = {
    "rule": {"name": "sales", "description": "All of it", "owner": None},
    "worst": [
        {"key": "EMEA", "value": 1234.5, "team": "b"},
        {"key": "apac", "value": 7.0, "team": "a"},
        {"key": "amer", "value": 7.0, "team": "b"},
    ],
    "count": 3,
    "unit": " %",
    "since": None,
}


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ rule.name }}", "sales"),
        ("{{ rule['name'] }}", "sales"),
        ("{{ worst[0].value | number }}{{ unit }}", "1,234.5 %"),
        ("{{ worst[0].value | round(1) }}", "1234.5"),
        ("{{ 42.55 | round(1, 'floor') }} {{ 3.7 | int }} {{ '3' | int }}", "42.5 3 3"),
        ("{{ '{:,.1f}'.format(worst[0].value) }}", "1,234.5"),
        ("{{ '{:>8}|{}|{name}'.format('x', 2, name='n') }}", "       x|2|n"),
        ("{{ rule.owner | default('nobody', true) }}", "nobody"),
        ("{{ missing | default('none') }}", "none"),
        ("{{ missing is defined }}", "False"),
        ("{{ rule.name | upper }} {{ rule.name.title() }} {{ 'A b' | lower }}", "SALES Sales a b"),
        ("{{ rule.name | replace('s', 'z') }} {{ 'aXb'.split('X')[1] }}", "zalez b"),
        ("{{ worst | map(attribute='key') | join(', ') }}", "EMEA, apac, amer"),
        ("{{ worst | length }} {{ (worst | first).key }} {{ (worst | last).key }}", "3 EMEA amer"),
        ("{{ worst | sort(attribute='key') | map(attribute='key') | first }}", "amer"),
        ("{{ worst | sum(attribute='value') }}", "1248.5"),
        ("{{ worst | selectattr('value', '<', 10) | list | count }}", "2"),
        ("{{ worst | rejectattr('value', 'gt', 10) | map(attribute='key') | list }}",
         "['apac', 'amer']"),
        ("{{ [1, 2, 3, 4] | batch(3) | list }}", "[[1, 2, 3], [4]]"),
        ("{{ [1, 2, 3, 4] | slice(2) | list }}", "[[1, 2], [3, 4]]"),
        ("{{ [3, 1, 2] | max }} {{ [3, 1, 2] | min }} {{ [1, 1] | unique | list }}", "3 1 [1]"),
        ("{{ {'a': 1} | tojson }} {{ {'a': 1} | tojson(indent=2) }}", '{"a": 1} {\n  "a": 1\n}'),
        ("{{ {'b': 1, 'a': 2} | dictsort }} {{ {'a': 1}.items() }}",
         "[('a', 2), ('b', 1)] [('a', 1)]"),
        ("{{ 'long text here' | truncate(8) }} {{ 'a b' | wordcount }}", "long... 2"),
        ("{{ 'a b&c' | urlencode }} {{ ' x ' | trim }}", "a%20b%26c x"),
        ("{{ 1 + 2 * 3 - 4 / 2 }} {{ 7 // 2 }} {{ 7 % 4 }} {{ -1 }}", "5.0 3 3 -1"),
        ("{{ 'a' + 'b' ~ 1 ~ none }}", "ab1None"),
        ("{{ [1] + [2] }} {{ (1, 'a') }} {{ 'abc'[1:] }} {{ 'abc'[-1] }}", "[1, 2] (1, 'a') bc c"),
        ("{{ 1 < 2 <= 2 }} {{ 2 in [1, 2] }} {{ not 1 }} {{ 1 and 0 or 5 }}", "True True False 5"),
        ("{{ 'many' if count > 1 else 'one' }}{% if count is odd %}!{% endif %}", "many!"),
        ("{% if since %}since{% elif count == 3 %}three{% else %}x{% endif %}", "three"),
        ("{% for w in worst %}{{ loop.index }}{{ w.key }}{{ ',' if not loop.last }}{% endfor %}",
         "1EMEA,2apac,3amer"),
        ("{% for w in worst %}{{ loop.length }}{{ loop.cycle('a', 'b') }}{% endfor %}", "3a3b3a"),
        ("{% for w in worst %}{{ loop.revindex }}{{ 'x' if loop.changed(w.team) }}{% endfor %}",
         "3x2x1x"),
        ("{% for w in worst if w.value < 10 %}{{ w.key }}{% else %}none{% endfor %}", "apacamer"),
        ("{% for k, v in rule.items() %}{{ k }}={{ v }};{% endfor %}",
         "name=sales;description=All of it;owner=None;"),
        ("{% for t in worst | groupby('team') %}{{ t.grouper }}{{ t.list | length }}{% endfor %}",
         "a1b2"),
        ("{% for n in range(3) %}{% for m in range(n) %}{{ m }}{% endfor %}{% endfor %}", "001"),
        ("{% raw %}{{ x }}{% endraw %}{# comment #}", "{{ x }}"),
        ("line one\n{% if count %}\nline two\n{% endif %}\nend", "line one\nline two\nend"),
    ],
)  # fmt: skip
def test_documented_templates_work(source, text):
    assert render(source, CONTEXT, html=False) == text


@pytest.mark.parametrize(
    ("source", "html"),
    [
        ('<a href="https://x.example/?k={{ k|urlencode }}">{{ k }}</a>',
         '<a href="https://x.example/?k=%3Cb%3E">&lt;b&gt;</a>'),
        ("<b>{{ k | e }}</b>", "<b>&lt;b&gt;</b>"),
        ("{{ '<i>' ~ k }}", "&lt;i&gt;&lt;b&gt;"),
        ("<script>var k = {{ k | tojson }};</script>",
         '<script>var k = "\\u003cb\\u003e";</script>'),
    ],
)  # fmt: skip
def test_html_is_the_author_s_markup_with_escaped_values(source, html):
    assert render(source, {"k": "<b>"}, html=True) == html


def alert(**texts: Any) -> tuple[Rule, Notification]:
    now = datetime.now(UTC)
    fields: dict[str, Any] = {"name": "r", "sql": "select 1", "operator": ">", "threshold": 0}
    rule = Rule.model_validate({**fields, "key_columns": ["k"], **texts})
    state = AlertState(
        now,
        "firing",
        "critical",
        Decimal(1),
        Decimal(1),
        Decimal(1),
        firing_since=now,
        notified_severity="critical",
    )
    return rule, Notification("firing", states={f'["{"&" * 20_000}{n}"]': state for n in range(10)})


def test_no_length_of_data_fails_the_standard_message():
    rule, notification = alert(description="<" * 300_000)
    sent = render_notification(rule, notification, datetime.now(UTC), "uid")
    assert sent.json_body is not None
    assert sent.json_body["hint"] is None
    assert sent.text.count("&…") == 10
    assert "&lt;…" in str(sent.html)
    assert "<" * (MAX_TEXT_CHARACTERS - 1) + "…" in sent.text


def test_a_rule_template_that_data_makes_too_long_is_replaced_by_one_sentence():
    own = {"text": "{% for w in worst %}{{ w.key * 1 }}{% endfor %}" * 1}
    rule, notification = alert(template=own)
    sent = render_notification(rule, notification, datetime.now(UTC), "uid")
    assert sent.text.startswith("Alert firing")
    assert "The template of the rule failed: template: * works on numbers only" in sent.text


def test_cut_texts_are_marked():
    assert shorten_texts({"a": ["xxxx", 1, None]}, 3) == {"a": ["xx…", 1, None]}
    assert number_text(None) == "none"


@settings(max_examples=400, deadline=None)
@given(templates, st.booleans())
def test_every_template_ends_with_a_text_or_a_clear_error(source, html):
    said = text_or_error(source, html=html)
    assert len(said) <= MAX_TEXT


def text_or_error(source: str, *, html: bool) -> str:
    try:
        return render(source, CONTEXT, html=html)
    except UserTemplateError as error:
        return str(error)


def test_the_sample_alert_of_validation_has_every_documented_name():
    rule, _ = alert()
    source = "{{ headline }}{{ label }}{{ condition }}{{ count|number }}{{ worst[0].value|number }}"
    assert render(source, example_context(rule), html=True)


def test_the_texts_of_the_documentation_are_valid():
    page = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text()
    (block,) = re.findall(r"```yaml\n(template:.*?)```", page, re.DOTALL)
    names = re.findall(r"`(\w+)`", page.split("\nAvailable names: ")[1].split("Texts are")[0])
    rule, notification = alert(**yaml.safe_load(block))
    sent = render_notification(rule, notification, datetime.now(UTC), "uid")
    assert sent.json_body is not None
    assert sent.json_body["hint"] is None
    assert sent.subject.startswith("[CRITICAL] r: &&")
    assert set(example_context(rule)) <= set(names)
