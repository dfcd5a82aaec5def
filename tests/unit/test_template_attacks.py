"""Hostile templates fail with a clear error, long before they use much time or memory.

Each is rendered as text and as HTML in a process that the kernel ends at 5 s of processor time or at
512 MB: what these tests see is that it never has to.
"""

import pytest

from analytics_worker.user_templates.budget import Budget
from analytics_worker.user_templates.rendering import UserTemplateError, render
from tests.support.attacks import attack
from tests.support.hostile_template_texts import KINDS
from tests.support.hostile_templates import render_hostile_templates


def assert_refused(kind: str):
    answers = render_hostile_templates(kind)
    assert [a for a in answers if not a[2].startswith("UserTemplateError: template: ")] == []
    assert len(answers) == 2 * len(KINDS[kind])
    assert max(len(said) for _, _, said in answers) < 300  # no value of any length in an error


@attack(
    by="author",
    what="filters that multiply: batch, slice, tojson(indent=…), round, replace, join, sum(start=…)",
    answer="UserTemplateError that names the bound",
)
def test_filters_that_multiply_are_refused():
    assert_refused("filters")


@attack(
    by="author",
    what="a million iterations in nested loops, recursive loops, loops over long values, macros, blocks, set",
    answer="UserTemplateError: more than 20,000 steps, or a forbidden syntax",
)
def test_loops_are_counted():
    assert_refused("loops")


@attack(
    by="author",
    what="texts that grow: *, +, ~, %, .format, .ljust, .replace, .join, thousands of slices",
    answer="UserTemplateError that names the bound",
)
def test_texts_stay_short():
    assert_refused("texts")


@attack(
    by="author",
    what="numbers of a million digits: 9**9**9, long literals, products",
    answer="UserTemplateError",
)
def test_numbers_stay_short():
    assert_refused("numbers")


@attack(
    by="author",
    what="thousands of nested brackets, signs, filters and ifs",
    answer="UserTemplateError: it is nested too deeply",
)
def test_nesting_is_bounded():
    assert_refused("nesting")


@attack(
    by="author",
    what="|safe, |striptags, |forceescape, |xmlattr, |urlize, autoescape false, Markup",
    answer="UserTemplateError: values are escaped in HTML, always",
)
def test_values_never_become_markup():
    assert_refused("markup")


@attack(
    by="author",
    what="walks out of the sandbox: __class__, __globals__, self, loop, include, import, mutation",
    answer="UserTemplateError; nothing changed",
)
def test_nothing_escapes_from_the_sandbox():
    assert_refused("walks")


@pytest.mark.parametrize(
    "source",
    [
        "{{ x }}",
        "{{ x|e }}",
        "{{ x ~ x }}",
        "{{ x|tojson }}",
        "{{ (x|tojson) ~ x }}",
        "{{ (x|tojson)|replace('u', x) }}",
        "{{ (x|tojson).replace('u', x) }}",
        "{{ (x|tojson).join([x, x]) }}",
        "{{ [x|tojson, x]|join(x) }}",
        "{{ x.join([x|tojson, x]) }}",
        "{{ '{}<i>'.format(x) }}",
        "{{ [x]|string }}",
        "{{ {x: x} }}",
        "{{ x|reverse }}",
        "{{ (x|tojson)[1:] }}",
        "{{ x|default(x|tojson)|truncate(9, true) }}",
        "{{ missing|default(x) }}",
        "{% for c in x %}{{ c }}{% endfor %}",
    ],
)
@attack(
    by="data",
    what="markup in a value, passed through every operation of an HTML template",
    answer="escaped",
)
def test_a_value_is_escaped_whatever_a_template_does_with_it(source):
    text = render(source, {"x": "<script>\"'>&"}, html=True)
    assert "<" not in text
    assert ">" not in text


@attack(by="data", what="template syntax in a value: {{ 7*7 }}, {% if %}", answer="shown as it is")
def test_a_value_is_never_a_template():
    value = "{{ 7*7 }}{% for x in y %}{# no comment #}"
    assert render("{{ x }}", {"x": value}, html=False) == value


def steps(budget: Budget, number: int):
    for _ in range(number):
        budget.step()


@attack(
    by="author",
    what="a template that computes without making steps or values",
    answer="UserTemplateError: it computes for more than 1 s",
)
def test_the_time_is_checked_while_steps_are_counted():
    with pytest.raises(UserTemplateError, match="computes for more than 0 s"):
        steps(Budget(seconds=0), 20)


def test_a_context_with_values_that_are_not_plain_is_refused():
    with pytest.raises(UserTemplateError, match="type object"):
        render("x", {"x": object()}, html=False)


def test_each_rendering_has_a_budget_of_its_own():
    loop = "{% for x in range(1000) %}" * 2 + "{% endfor %}" * 2
    for _ in range(2):
        with pytest.raises(UserTemplateError, match="20,000 steps"):
            render(loop, {}, html=False)
        assert render("{% for x in range(1000) %}x{% endfor %}", {}, html=False) == "x" * 1000
