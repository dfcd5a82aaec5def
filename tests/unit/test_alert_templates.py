"""User templates are sandboxed, and their time and memory are limited."""

import pytest

from analytics_worker.text import one_line
from analytics_worker.user_templates.rendering import UserTemplateError, render
from tests.support.attacks import attack


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ [].__class__ }}",
        "{{ self.__init__.__globals__ }}",
        "{{ worst.append(1) }}",
        "{{ cycler.__init__ }}",
        "{{ 'a' * 1000000000 }}",
        "{{ [1] * 1000000000 }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ 'a'.ljust(1000000000) }}",
        "{{ '{:1000000000}'.format(1) }}",
        "{{ 'a' | center(1000000000) }}",
        "{{ ('a,' * 3) }}",
        "{% for i in range(100000) %}x{% endfor %}",
        "{% for a in range(999) %}{% for b in range(999) %}{% for c in range(999) %}{% endfor %}{% endfor %}{% endfor %}",
        "{% set x = 'aaaa' %}{% set x = x ~ x %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
        "{{ missing }}",
        "{{ 1 / 0 }}",
        "{% if x",
        "x" * 20_000,
        "{% for a in range(1000) %}{% for b in range(1000) %}long{% endfor %}{% endfor %}",
    ],
)
def test_the_template_is_rejected(source):
    with pytest.raises(UserTemplateError):
        render(source, {"worst": [1]}, html=False)


@attack(
    by="data",
    what="markup in a value of a rule with its own HTML",
    answer="escaped",
)
def test_values_are_escaped_in_html_and_only_there():
    assert render("{{ x }}", {"x": "<b>&"}, html=True) == "&lt;b&gt;&amp;"
    assert render("{{ x }}", {"x": "<b>&"}, html=False) == "<b>&"


def test_loops_conditions_and_filters_are_allowed():
    source = (
        "{% for n in xs %}{% if n > 1 %}{{ n | number }} {% endif %}{% endfor %}{{ name | upper }}"
    )
    assert render(source, {"xs": [1, 2000.5], "name": "é"}, html=False) == "2,000.5 É"


def test_a_subject_is_always_one_line():
    assert one_line("a\r\nBcc: x@y.example\u2028b\x00") == "a Bcc: x@y.example b\ufffd"
    assert len(one_line("x" * 5000)) == 300
