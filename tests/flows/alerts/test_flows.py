"""The four alert flows, with a real receiver."""

import json
import multiprocessing
import os
import re
import signal
from typing import cast

import pytest
from prefect.artifacts import Artifact

from analytics_worker.prefect_support.results import RunFailed
from analytics_worker.settings import settings
from flows.alerts import (
    check_threshold_conditions,
    create_threshold_alert,
    process_pending_alerts,
    trigger_alert,
)
from flows.alerts.evaluation.runner import evaluate_due
from tests.flows.alerts.rules import METRIC, execute, query, rule, set_metric, store
from tests.support.http_sink import HttpSink
from tests.support.wait_until import wait_until

pytestmark = pytest.mark.usefixtures("prefect_api", "environment")


@pytest.fixture
def webhook_recipient(http_sink: HttpSink, monkeypatch: pytest.MonkeyPatch) -> HttpSink:
    monkeypatch.setenv("ALERT_WEBHOOK_URL", http_sink.url)
    settings.cache_clear()
    return http_sink


def next_period():
    execute("update ops.alert_rules set evaluated_slot = evaluated_slot - interval '1 hour'")
    execute("update ops.alert_evaluations set slot = slot - interval '1 hour'")


def received(webhook_recipient: HttpSink) -> list[tuple[str, str]]:
    """Return rule and kind of each notification."""
    return [(request.json["rule"], request.json["kind"]) for request in webhook_recipient.requests]


def published_rows() -> list[dict[str, str]]:
    artifact = cast("Artifact | None", Artifact.get("alert-states"))
    assert artifact is not None
    return json.loads(str(artifact.data))


def published_states() -> dict[str, str]:
    """Return the state of each rule in the artifact."""
    return {row["rule"]: row["state"] for row in published_rows()}


@pytest.mark.parametrize(
    ("value", "text"), [("1234567.8", "1,234,568"), ("12.3456789", "12.3457"), ("-7", "-7")]
)
def test_published_numbers_and_columns_are_short(value, text):
    store(rule("quiet", f"select {value}::float8 as value", threshold=9_999_999, owner=None))
    process_pending_alerts()
    (row,) = published_rows()
    assert set(row) <= {"rule", "state", "severity", "value", "since (UTC)", "notified"}
    assert (row["value"], "error" in row) == (text, False)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", row["since (UTC)"])


def test_alerts_are_evaluated_notified_and_published(webhook_recipient):
    set_metric(11)
    store(rule(sql=METRIC, channels=None), rule("quiet", "select 1 as value"))
    result = process_pending_alerts()
    assert result["message"] == "2 rules evaluated, 1 firing, 1 notification sent"
    set_metric(9)
    next_period()
    assert process_pending_alerts()["summary"]["firing"] == 0
    assert received(webhook_recipient) == [("r", "firing"), ("r", "resolved")]
    assert published_states() == {"r": "ok", "quiet": "ok"}
    assert query("select count(flow_run_id) from ops.alert_evaluations") == [4]


def test_only_threshold_rules_are_evaluated(webhook_recipient):
    store(rule("alert"))
    store(rule("t", threshold=None, warning=5, critical=20, channels=None), kind="threshold")
    execute("update ops.alert_rules set retired_at = null")
    result = check_threshold_conditions()
    assert result["summary"]["evaluated"] == 1
    assert received(webhook_recipient) == [("t", "firing")]
    assert webhook_recipient.requests[0].json["severity"] == "warning"


def test_a_failing_rule_makes_the_run_partial_and_does_not_affect_the_others(webhook_recipient):
    store(rule("broken", "select nope"), rule("fine", channels=None))
    state = process_pending_alerts(return_state=True)
    assert (state.name, state.type.value) == ("Partial", "FAILED")
    assert "1 failed" in (state.message or "")
    assert ("fine", "firing") in received(webhook_recipient)


def test_a_run_without_due_rules_succeeds():
    assert (
        process_pending_alerts()["message"] == "0 rules evaluated, 0 firing, 0 notifications sent"
    )


ALERT = {"id": 7, "name": "Fell", "query": METRIC, "threshold": 10, "operator": ">"}


def test_a_triggered_alert_is_notified_once_and_evaluated_until_it_resolves(webhook_recipient):
    set_metric(11)
    data = {**ALERT, "notification_channels": [{"type": "webhook"}]}
    assert trigger_alert(data)["triggered"]
    assert trigger_alert(data)["alert"]["notices"] == 0
    assert published_states() == {"Fell (alert:7)": "firing"}
    set_metric(1)
    next_period()
    process_pending_alerts()
    assert received(webhook_recipient) == [("Fell", "firing"), ("Fell", "resolved")]
    next_period()
    assert process_pending_alerts()["summary"]["evaluated"] == 0


def test_a_triggered_alert_with_a_failing_query_fails_with_the_reason():
    with pytest.raises(RunFailed, match='column "nope" does not exist'):
        trigger_alert({**ALERT, "query": "select nope"})


def test_invalid_data_is_rejected_before_anything_is_stored():
    with pytest.raises(RunFailed, match=r"alert_data\.operator is missing"):
        trigger_alert({"id": 1, "query": "select 1", "threshold": 1})
    with pytest.raises(
        RunFailed, match="'kritical' is not a valid status; did you mean 'critical'"
    ):
        create_threshold_alert({"id": 1, "metric_name": "m"}, 5, "kritical")
    assert query("select count(*) from ops.alert_rules") == [0]


def test_a_threshold_alert_is_notified_and_resolved_with_ok(webhook_recipient):
    data = {"id": "m", "metric_name": "mrr", "warning_threshold": 10, "critical_threshold": 5, "comparison_operator": "<"}  # fmt: skip
    assert create_threshold_alert(data, 4, "critical")["triggered"]
    create_threshold_alert(data, 40, "ok")
    assert received(webhook_recipient) == [("mrr", "firing"), ("mrr", "resolved")]
    assert webhook_recipient.requests[0].json["value"] == 4


def _evaluate() -> None:
    evaluate_due(["alert"])


def test_a_run_killed_during_evaluation_loses_nothing():
    store(
        rule("a"),
        rule("slow", "select pg_sleep(60)::text, 1 as value", value="value", timeout="2m"),
    )
    child = multiprocessing.get_context("fork").Process(target=_evaluate)
    child.start()
    wait_until(
        lambda: not query("select id from ops.alert_rules for update skip locked"), timeout=60
    )
    assert query("select count(*) from ops.alert_evaluations") == [0]
    os.kill(child.pid or 0, signal.SIGKILL)
    child.join()
    # The server releases the locks once it detects the lost connection.
    wait_until(
        lambda: len(query("select id from ops.alert_rules for update skip locked")) == 2, timeout=60
    )
    execute('update ops.alert_rules set definition = definition || \'{"timeout": "1s"}\'')
    assert evaluate_due(["alert"]).evaluated == 2
    assert query("select count(*) from ops.deliveries where channel = 'webhook'") == [1]
