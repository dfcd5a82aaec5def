"""Keys of any type are the server's text: the same in each evaluation, and one line in messages."""

import pytest

from tests.flows.alerts.rules import deliveries, last_content, query, rule, store, tick
from tests.support.attacks import attack

pytestmark = pytest.mark.usefixtures("environment")


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (r"'\xdeadbeef'::bytea", r"\xdeadbeef"),
        ("array['a', null]", "{a,NULL}"),
        ("row(1, 'x')", "(1,x)"),
        ("int4range(1, 5)", "[1,5)"),
        ("date '20224-01-01'", "20224-01-01"),
        ("'{\"a\": [1.0]}'::jsonb", '{"a": [1.0]}'),
        ("12345678901234567890.10", "12345678901234567890.10"),
        ("'ab'::char(5)", "ab   "),
    ],
)
def test_a_key_is_the_text_of_the_server_in_each_evaluation(expression, text):
    store(rule(sql=f"select {expression} as k, 11 as value", key_columns=["k"], value="value"))
    tick(0)
    tick(1)
    assert deliveries() == [("firing", "webhook")]
    assert query("select key::jsonb ->> 0 from ops.alert_states") == [text]
    assert last_content()["json"]["worst"][0]["key"] == text


@attack(
    by="data",
    what="Line ends and control characters in a key of an alert, to add lines to its message",
    answer="the key is one line that shows them; the JSON of webhooks has it unchanged",
)
def test_a_key_with_line_ends_is_one_line():
    key = "EMEA\nSeverity:  ok\n\nAll is well\x1b[2J"
    sql = r"select e'EMEA\nSeverity:  ok\n\nAll is well\x1b[2J' as k, 11 as value"
    store(rule(sql=sql, key_columns=["k"], value="value", channels=[{"email": ["a@b.example"]}]))
    tick(0)
    content = last_content()
    shown = "EMEA⏎Severity: ok⏎⏎All is well\ufffd[2J"
    assert content["subject"] == f"[CRITICAL] r: {shown} at 11 (value > 10)"
    assert f"\nKey:       {shown}\n" in content["text"]
    assert "Severity:  ok" not in content["text"]
    assert shown in content["html"]
    assert content["json"]["worst"][0]["key"] == key
