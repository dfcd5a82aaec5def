"""Templates that attack, and a process with little memory and time to render them in.

``python -m tests.support.hostile_templates KIND`` renders each template of a kind twice, as text and
as HTML, and writes what came back as JSON lines. The kernel ends it at 5 s of processor time for one
template or 512 MB more than at its start.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from analytics_worker.user_templates.rendering import UserTemplateError, render

ROOT = Path(__file__).resolve().parents[2]
SECONDS, MEGABYTES = 5, 512
CONTEXT: dict[str, Any] = {
    "description": "d" * 40_000,
    "name": "<b>&\"'name",
    "worst": [{"key": f"{n}" + "k" * 1000, "value": n / 3, "items": [n]} for n in range(10)],
    "many": list(range(20_000)),
    "none": None,
    "count": 3,
}
_LONG = "{% for i in range(1000) %}"
KINDS: dict[str, list[str]] = {
    "filters": [
        "{{ [1]|batch(100000000) }}",
        "{{ [1]|batch(100000000, 'x')|list }}",
        "{{ [1]|batch(linecount=100000000, fill_with=description)|first|length }}",
        "{{ [1]|slice(100000000) }}",
        "{{ [1]|slice(100000000, 1)|length }}",
        "{{ [1]|map('batch', 100000000, 1)|map('list')|list }}",
        "{{ {'a': [1]}|tojson(indent=100000000) }}",
        "{{ [{'a': [1]}]|map('tojson', 100000000)|list }}",
        "{{ 1.5|round(100000000, 'floor') }}",
        "{{ 5|round(-1000000000) }}",
        "{{ 1.5|round(10**9, 'ceil') }}",
        "{{ 'x'|indent(1000000000) }}",
        "{{ 'a b'|wordwrap(1, wrapstring='x' * 1000000) }}",
        "{{ 'x'|center(1000000000) }}",
        "{{ '%0100000000d'|format(1) }}",
        "{{ worst|pprint }}",
        "{{ description|replace('d', description) }}",
        "{{ description|replace('', description) }}",
        "{{ many|join(description) }}",
        "{{ [description, description, description]|join }}",
        "{{ worst|map(attribute='missing', default=description)|list|string|length }}",
        "{{ [worst, worst, worst, worst, worst, worst]|sum(start=[]) }}",
        "{{ ['a', 'b']|sum(start='') }}",
        "{{ description|list|sort(attribute='" + "0," * 2000 + "0')|length }}",
        "{{ many|groupby('" + "a." * 900 + "a') }}",
        "{{ (many|unique|list, many|unique|list, many|reverse|list, many|sort) }}",
        "{{ many|map('string')|map('list')|map('tojson')|list|tojson }}",
        "{{ 'z' * 4|int(base=10**9) }}",
        "{{ ('1' ~ '0' * 4000)|int }}",
        "{{ '" + "f" * 200 + "'|int(base=16) }}",
        "{{ [9e307]|map('int')|list }}",
        "{{ many|random }}",
        "{{ 'x'|truncate(1) }}",
        "{{ 'x'|map('nosuch')|list }}",
        "{{ 'x'|nosuch }}",
        "{{ 'x'|attr('upper') }}",
        "{{ description|urlize }}",
        "{{ {'a': description}|xmlattr }}",
        "{% filter upper %}{% for i in many %}x{% endfor %}{% endfilter %}",
    ],
    "loops": [
        "{% for a in range(1000) %}{% for b in range(1000) %}{% endfor %}{% endfor %}",
        "{% for a in range(1000) %}{% for b in range(1000) %}long{% endfor %}{% endfor %}",
        "{% for a in range(999) %}" * 3 + "{% endfor %}" * 3,
        "{% for a in many if a > 30000 %}{% else %}"
        + "{% for b in many %}" * 3
        + "{% endfor %}" * 4,
        "{% for a in range(10000000000) %}x{% endfor %}",
        "{% for a in range(" + "9" * 30 + ") %}x{% endfor %}",
        "{% for a in [[1]] recursive %}{{ loop([a]) }}{% endfor %}",
        "{% for a in [1] %}{{ loop([1]) }}{% endfor %}",
        _LONG + "{% for b in many %}{{ loop.revindex }}{% endfor %}{% endfor %}",
        _LONG + "{{ loop.cycle(*many) }}{{ description[:1] }}" * 20 + "{% endfor %}",
        _LONG + "{{ description }}{% endfor %}",
        _LONG + "{% if description|upper|lower|upper == 'x' %}{% endif %}{% endfor %}",
        _LONG + "{% if worst|tojson == worst|tojson %}{% endif %}{% endfor %}",
        _LONG + "{% if many|sort == many|sort %}{% endif %}{% endfor %}",
        _LONG + "{% for b in many|map('string') if b in description %}{% endfor %}{% endfor %}",
        _LONG + "{% if [many] == [many] and 'e' in description %}{% endif %}" * 40 + "{% endfor %}",
        "{% for x, y in many %}{% endfor %}",
        "{% for x in none %}{% endfor %}",
        "{% for x in count %}{% endfor %}",
        "{% set x = 'aaaa' %}{% set x = x ~ x %}",
        "{% with a=[many, many] %}{% with b=[a, a] %}{{ b }}{% endwith %}{% endwith %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% call x() %}{% endcall %}",
        "{% block x %}{{ self.x() }}{% endblock %}",
    ],
    "texts": [
        "{{ 'a' * 1000000000 }}",
        "{{ 1000000000 * 'a' }}",
        "{{ [1] * 1000000000 }}",
        "{{ 'a,' * 3 }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ description + description }}",
        "{{ many + many + many }}",
        "{{ " + " ~ ".join(["description"] * 700) + " }}",
        "{{ [" + "description[1:]," * 600 + "]|length }}",
        "{{ [" + "worst," * 1500 + "]|string|length }}",
        "{{ {" + ",".join(f"{n}: many" for n in range(800)) + "}|length }}",
        "{{ (" + "description," * 700 + ") }}",
        "{{ 'a'.ljust(1000000000) }}",
        "{{ 'a'.rjust(1000000000) }}",
        "{{ 'a'.center(1000000000) }}",
        "{{ 'a'.zfill(1000000000) }}",
        "{{ '\\t'.expandtabs(1000000000) }}",
        "{{ '{:1000000000}'.format(1) }}",
        "{{ '{:>{}}'.format(1, 1000000000) }}",
        "{{ '{0:{0}}'.format(100000000) }}",
        "{{ '{:.100000000f}'.format(1.5) }}",
        "{{ '{0.__class__}'.format(1) }}",
        "{{ '{a[b]}'.format(a={'b': 1}) }}",
        "{{ '{x:1000000000}'.format_map({'x': 1}) }}",
        "{{ ('{0}' ~ '{0}' ~ '{0}').format(description) }}",
        "{{ '{}'.format(worst) }}",
        "{{ '" + "{" * 9000 + "'.format(*many) }}",
        "{{ '{!r}'.format('x'.upper) }}",
        "{{ 'x'.translate({120: description}) }}",
        "{{ description.replace('d', description) }}",
        "{{ description.replace('', description) }}",
        "{{ description.join(many|map('string')|list) }}",
        "{{ description.join(description) }}",
        "{{ description.encode('utf-32') }}",
        "{{ 'x'.upper }}",
        "{{ range }}",
        "{{ ['x'.upper]|tojson }}",
        "{{ 'x'['__class__'] }}",
        "{{ 'x'()() }}",
        "{{ count() }}",
        "{{ missing() }}",
        "{{ missing.x.y }}",
        "{{ missing ~ 'x' }}",
        "{{ missing + 1 }}",
        "{{ worst[0].nosuch }}",
        "{{ many[0:10:0] }}",
        "{{ 1[0:1] }}",
        "{{ {[1]: 2} }}",
        "{{ {}[[1]] }}",
    ],
    "numbers": [
        "{{ 9**9**9 }}",
        "{{ 2 ** 3 }}",
        "{{ " + "9" * 5000 + " }}",
        "{{ 0x" + "f" * 5000 + " }}",
        "{{ " + " * ".join(["999999999999999"] * 15) + " }}",
        "{{ (0x" + "f" * 20 + ") * (0x" + "f" * 20 + ") }}",
        "{{ 1 / 0 }}",
        "{{ 1 % 0 }}",
        "{{ 1 // 0.0 }}",
        "{{ 'a' - 1 }}",
        "{{ -'a' }}",
        "{{ 'a' < 1 }}",
        "{{ many * 2 }}",
        "{{ 1.5.as_integer_ratio() }}",
        "{{ count.to_bytes(100000000) }}",
        "{{ count.real.imag.numerator }}",
    ],
    "nesting": [
        "{{ " + "(" * 4000 + "1" + ")" * 4000 + " }}",
        "{{ " + "[" * 4000 + "]" * 4000 + " }}",
        "{{ " + "[" * 60 + "]" * 60 + " }}",
        "{{ " + "-" * 5000 + "1 }}",
        "{{ " + "not " * 2000 + "1 }}",
        "{{ " + "1+" * 3000 + "1 }}",
        "{{ " + "1 and " * 1500 + "1 }}",
        "{{ 1" + "|abs" * 2000 + " }}",
        "{{ 1" + " if 1 else 1" * 700 + " }}",
        "{% if 1 %}" * 400 + "{% endif %}" * 400,
        "{% for x in [1] %}" * 30 + "{% endfor %}" * 30,
        "{{ many" + "[0]" * 3000 + " }}",
        "{{ many" + ".x" * 3000 + " }}",
        "{{ many" + "()" * 3000 + " }}",
        "{% if x",
        "{{ }}",
        "{% endfor %}",
        "{{ 'unterminated",
        "x" * 20_000,
    ],
    "markup": [
        "{{ name|safe }}",
        "{{ name|upper|safe }}",
        "{{ [name]|map('safe')|first }}",
        "{{ name|striptags }}",
        "{{ name|forceescape }}",
        "{{ name|urlize }}",
        "{{ {name: name}|xmlattr }}",
        "{% autoescape false %}{{ name }}{% endautoescape %}",
        "{% autoescape true %}{{ name }}{% endautoescape %}",
        "{{ Markup(name) }}",
        "{{ (name|tojson).unescape() }}",
        "{{ name.__html__() }}",
        "{{ name|e|attr('unescape') }}",
    ],
    "walks": [
        "{{ ''.__class__.__mro__ }}",
        "{{ ''['__class__'] }}",
        "{{ [].__class__.__base__.__subclasses__() }}",
        "{{ self.__init__.__globals__ }}",
        "{{ self }}",
        "{{ self._TemplateReference__context }}",
        "{{ cycler.__init__.__globals__.os }}",
        "{{ lipsum.__globals__ }}",
        "{{ range.__self__ }}",
        "{{ range.function }}",
        "{{ 'x'.upper.function }}",
        "{{ 'x'.upper.__self__ }}",
        "{{ [1]|map(attribute='__class__')|join }}",
        "{{ [['x']]|map(attribute='0.__class__')|first }}",
        "{{ [1]|groupby('__class__')|map(attribute='grouper')|join }}",
        "{{ [1]|sort(attribute='__doc__')|first|attr('real') }}",
        "{{ worst.append(1) }}",
        "{{ worst[0].update({'key': 'x'}) }}",
        "{{ worst[0].__setitem__('key', 'x') }}",
        "{{ worst.sort() }}",
        "{{ worst.clear() }}",
        "{% for x in [1] %}{{ loop._iterator }}{% endfor %}",
        "{% for x in [1] %}{{ loop.__class__ }}{% endfor %}",
        "{% for x in [1] %}{{ loop }}{% endfor %}",
        "{{ (1).__class__ }}",
        "{{ none.__class__ }}",
        "{{ config }}",
        "{{ environment }}",
        "{{ context }}",
        "{{ 'counted items'|map('counted items')|nosuch }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
        "{% from 'os' import environ %}",
        "{% extends '/etc/passwd' %}",
        "{% do worst.clear() %}",
        "{% debug %}",
        "{{ worst|selectattr('key', 'callable')|list }}",
    ],
}


def came_back(kind: str) -> list[tuple[str, bool, str]]:
    """Template, whether it was HTML, and what its rendering ended with."""
    child = subprocess.run(
        [sys.executable, "-m", "tests.support.hostile_templates", kind],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    answers = [json.loads(line) for line in child.stdout.splitlines()]
    if child.returncode:
        answers.append(("the next one", False, f"exit {child.returncode}: {child.stderr[-500:]}"))
    return [(source, html, answer) for source, html, answer in answers]


def _answer(source: str, *, html: bool) -> str:
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))
    try:
        text = render(source, CONTEXT, html=html)
    except UserTemplateError as error:
        return f"UserTemplateError: {error}"
    return f"text: {text[:80]}"


def _limited() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEGABYTES * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    _limited()
    for template in KINDS[sys.argv[1]]:
        for as_html in (False, True):
            begun = time.process_time()
            said = _answer(template, html=as_html)
            taken = time.process_time() - begun
            sys.stderr.write(f"{taken:.2f} s {template[:60]!r}\n" if taken > 1 else "")
            sys.stdout.write(json.dumps((template, as_html, said)) + "\n")
            sys.stdout.flush()
