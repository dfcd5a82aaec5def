"""Messages of alerts say what is known of the data of their rules."""

import json
from typing import Any

import pytest

from tests.flows.alerts.rules import last_content, rule, set_metric, store, tick
from tests.support.sql import execute, query
from tests.support.trust_records import complete, data_test, incident, reads

pytestmark = pytest.mark.usefixtures("environment")

METRIC = ("analytics", "metric")
SQL = "select value from analytics.metric"
STAMP = "Complete through 2026-11-25 23:59 UTC · 1 test passed · no incident"


@pytest.fixture(autouse=True)
def metric(environment: str) -> None:  # noqa: ARG001  # its database
    """A rule that fires, on a table of which something is known, and one on a table of which nothing is."""
    set_metric(11)
    store(rule("known", SQL), rule("unknown", "select 12 as value"))
    reads("rule", "known", METRIC)
    reads("rule", "unknown")


def contents() -> dict[str, dict[str, Any]]:
    """Return the content of each message by its rule."""
    found = map(json.loads, query("select content::text from ops.messages"))
    return {each["json"]["rule"]: each for each in found}


def test_a_message_has_a_line_where_something_is_known():
    complete(*METRIC, "2026-11-25 23:59+00")
    data_test("unique_metric", METRIC)
    incident("rule", "known")
    tick(0)
    known, unknown = contents()["known"], contents()["unknown"]
    assert f"Data:      {STAMP}\n" in str(known["text"])
    assert {"label": "Data", "value": STAMP} in known["facts"]
    assert known["json"]["trust"]["tests_passed"] == 1
    assert "Data:" not in str(unknown["text"])
    assert unknown["json"]["trust"] is None


def test_an_incident_upstream_is_named_and_what_is_beside_it_is_not():
    complete(*METRIC, "2026-11-25 23:59+00")
    incident("relation", "analytics.metric")
    incident("relation", "analytics.other")
    tick(0)
    assert "· critical incident: analytics.metric\n" in str(contents()["known"]["text"])


def test_a_template_can_show_it():
    complete(*METRIC, "2026-11-25 23:59+00")
    store(rule("known", SQL, template={"text": "{{ worst[0].value_text }} ({{ trust }})"}))
    tick(0)
    assert last_content()["text"] == "11 (Complete through 2026-11-25 23:59 UTC · no incident)"


def test_messages_are_sent_without_it_if_it_can_not_be_read():
    execute("alter table ops.incidents rename column cause_name to other")
    counts = tick(0)
    execute("alter table ops.incidents rename column other to cause_name")
    assert (counts.evaluated, counts.errors, counts.notifications) == (2, 0, 2)
    assert set(contents()) == {"known", "unknown"}
