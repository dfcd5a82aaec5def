"""Bounds of a rule beside its values: no text makes one look like the other."""

import json
import math
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from flows.alerts.evaluation.state_machine import AlertState
from flows.alerts.notifications.json_body import condition_text
from flows.alerts.notifications.model import Notification
from flows.alerts.notifications.rendering import render_notification
from flows.alerts.notifications.values import value_text
from tests.support.alert_run import Run, rule


@pytest.mark.parametrize(
    ("fields", "value", "bound"),
    [
        ({"format": "duration"}, 3599.9996, 3600),
        ({"format": "duration"}, 61.239, 61.238),
        ({"unit": "EUR", "decimals": 2}, 0.99999999999, 1),
        ({"unit": "EUR"}, 5e-324, 0),
    ],
)
def test_no_value_looks_like_a_bound_that_it_is_not(fields, value, bound):
    of_bound = rule(**fields, threshold=bound)
    assert repr(value) in value_text(of_bound, value)


def test_the_condition_without_a_severity_is_that_of_the_lowest():
    warned = rule(threshold=None, warning=0, critical=10)
    assert condition_text(warned, None) == "value > 0"
    assert condition_text(warned, "critical") == "value > 10"


def test_the_condition_of_several_severities_has_the_bound_of_each():
    low = rule(threshold=None, warning=100, critical=0, operator="<", value="umsatz")
    assert condition_text(low, "critical", "warning") == "umsatz < 0 (critical), < 100 (warning)"
    now = datetime(2026, 1, 1, tzinfo=UTC)
    states = {
        json.dumps([each]): AlertState(now, "firing", each) for each in ("critical", "warning")
    }
    message = render_notification(low, Notification("firing", states=states), now, "uid")
    assert "Condition: umsatz < 0 (critical), < 100 (warning)" in message.text


@pytest.mark.parametrize(("value", "fires"), [(0.9, True), (1, False), (5, False), (5.1, True)])
def test_outside_is_the_reverse_of_between(value, fires):
    run = Run(rule(operator="outside", threshold=[1, 5]))
    assert run.evaluate(value) == (["firing"] if fires else [])
    assert condition_text(run.rule) == "value outside 1 and 5"


def test_a_bound_is_a_number():
    with pytest.raises(ValidationError, match="nan is not a valid bound"):
        rule(threshold=math.nan)
