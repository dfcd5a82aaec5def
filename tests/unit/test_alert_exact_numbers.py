"""Values of alerts have all digits of the server's text: they compare as PostgreSQL's ``numeric`` does."""

import json
from decimal import Decimal

import pytest
import yaml

from analytics_worker.database.reader_sessions import QueryRows
from analytics_worker.presentation.exact_numbers import exact_text, json_number, usual_text
from flows.alerts.evaluation.samples import extract_samples
from flows.alerts.notifications.rendering import render_notification
from flows.alerts.notifications.values import value_text
from flows.alerts.rules.model import Rule
from tests.support.alert_run import START, Run, rule

BIG = 9_007_199_254_740_993
"""The first whole number that double precision can't hold."""
HUGE = "1" + "0" * 400


def fires(of: Rule, *texts: str) -> bool:
    """Evaluate the texts of a column, one evaluation each; return whether the last one fires."""
    run = Run(of)
    for text in texts:
        run.evaluate(extract_samples(of, QueryRows(["value"], [1700], [(text,)])))
    return run.state.status == "firing"


@pytest.mark.parametrize(
    ("text", "operator", "bound", "is_firing"),
    [
        (str(BIG), ">", BIG - 1, True),
        (str(BIG - 1), ">", BIG - 1, False),
        (str(BIG), "==", BIG, True),
        (str(-BIG), "<", -BIG + 1, True),
        ("0.3", "==", 0.3, True),
        ("0.30000000000000004", ">", 0.3, True),
        ("0.3000000000000000000000001", ">", 0.3, True),
        ("0.30", ">=", 0.3, True),
        (HUGE, ">", "1e400", False),
        (HUGE + "1", ">", "1e400", True),
        (HUGE, "<", ".inf", True),
        ("12345678901234567890.12345", ">", "12345678901234567890.12344", True),
        (str(BIG), "between", [BIG, BIG], True),
        (str(BIG), "between", [BIG + 1, BIG + 2], False),
    ],
)
def test_values_are_compared_exactly(text, operator, bound, is_firing):
    if bound == ".inf":
        bound = yaml.safe_load(bound)
    assert fires(rule(operator=operator, threshold=bound), text) is is_firing


@pytest.mark.parametrize(
    ("measure", "bound", "texts", "is_firing"),
    [
        ("change", 0, (str(BIG - 1), str(BIG)), True),
        ("change", 0.1, ("0.2", "0.3"), False),
        ("change_percent", 10, ("100", "110"), False),
        ("change_percent", 10, ("1" + "0" * 20, "11" + "0" * 18 + "1"), True),
        ("change_percent", 5, (HUGE, HUGE + "0"), True),
    ],
)
def test_changes_are_computed_exactly(measure, bound, texts, is_firing):
    assert fires(rule(measure=measure, threshold=bound), *texts) is is_firing


def test_the_recovery_bound_is_exact():
    assert fires(rule(threshold=BIG + 5, recovery=BIG - 1), str(BIG + 6), str(BIG))
    assert not fires(rule(threshold=BIG + 5, recovery=BIG - 1), str(BIG + 6), str(BIG - 1))


def test_sums_are_exact():
    of = rule(threshold=0.3, reduce="sum")
    table = QueryRows(["value"], [1700], [("0.1",), ("0.2",), (str(BIG),), (str(-BIG),)])
    assert extract_samples(of, table) == {"": Decimal("0.3")}


@pytest.mark.parametrize("number", [BIG, "0.12345678901234567890", "1e400", [BIG, BIG + 2]])
def test_stored_bounds_have_all_their_digits(number):
    of = rule(operator="between" if isinstance(number, list) else ">", threshold=number)
    assert Rule.model_validate_json(of.to_json()) == of
    assert json.loads(json.dumps(json.loads(of.to_json()))) == json.loads(of.to_json())


def test_a_bound_that_double_precision_holds_is_stored_as_a_number():
    assert json.loads(rule(threshold=0.5).to_json())["threshold"] == 0.5
    assert json.loads(rule(threshold=yaml.safe_load("1e15")).to_json())["threshold"] == 1e15


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (str(BIG), "9,007,199,254,740,993"),
        (HUGE, "1e+400"),
        ("-" + HUGE, "-1e+400"),
        ("100000000000000000000", "1e+20"),
        ("12.500", "12.5"),
        ("-0.00", "0"),
        ("0.3000000001", "0.3000000001"),
        ("33.3333333333333333", "33.333333"),
        ("0.0000001234567", "1.23457e-7"),
        ("Infinity", "inf"),
        ("9" * 100, f"9.{'9' * 39}…e+99"),
    ],
)
def test_texts_have_all_digits_that_matter(value, text):
    assert value_text(rule(threshold=0.3), Decimal(value)) == text


def test_text_with_a_unit_has_all_digits_of_a_large_number():
    assert value_text(rule(unit="EUR"), Decimal(BIG)) == "€9,007,199,254,740,993"
    assert value_text(rule(unit="EUR"), Decimal(HUGE)) == "€1e+400"


def test_a_message_and_its_json_have_the_exact_value():
    run = Run(rule(threshold=BIG - 1))
    run.evaluate({"": Decimal(BIG)})
    content = render_notification(run.rule, run.notification, START, "uid")
    assert "9,007,199,254,740,993 (value > 9,007,199,254,740,992)" in content.subject
    body = content.json_body or {}
    assert (body["value"], body["value_text"]) == (str(BIG), "9,007,199,254,740,993")


def test_the_template_of_a_rule_can_compute_with_a_large_value():
    of = rule(template={"subject": "{{ worst[0].value + 1 }} {{ worst[0].value | number }}"})
    run = Run(of)
    run.evaluate({"": Decimal(BIG)})
    subject = render_notification(of, run.notification, START, "uid").subject
    assert subject == "9007199254740994 9,007,199,254,740,993"


@pytest.mark.parametrize(
    ("value", "number"),
    [("5.00", 5.0), ("0.1", 0.1), (str(BIG), str(BIG)), ("0.30", 0.3), ("Infinity", "inf")],
)
def test_json_numbers_are_those_that_double_precision_holds(value, number):
    assert json_number(Decimal(value)) == number


def test_usual_and_exact_texts_differ_in_decimals_only():
    assert usual_text(Decimal("1234.56789012")) == "1,234.56789"
    assert exact_text(Decimal("1234.56789012")) == "1,234.56789012"
