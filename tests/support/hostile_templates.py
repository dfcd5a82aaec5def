"""Render templates that attack in a process with little memory and time.

``python -m tests.support.hostile_templates KIND`` renders each template of a kind twice, as text and
as HTML, and writes the results as JSON lines. The kernel ends it at 5 s of processor time for one
template or 512 MB more than at its start.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

from analytics_worker.user_templates.rendering import UserTemplateError, render
from tests.support.hostile_template_texts import CONTEXT, KINDS

ROOT = Path(__file__).resolve().parents[2]
SECONDS, MEGABYTES = 5, 512


def render_hostile_templates(kind: str) -> list[tuple[str, bool, str]]:
    """Return each template, whether it was HTML, and the result of its rendering."""
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
            result = _answer(template, html=as_html)
            taken = time.process_time() - begun
            sys.stderr.write(f"{taken:.2f} s {template[:60]!r}\n" if taken > 1 else "")
            sys.stdout.write(json.dumps((template, as_html, result)) + "\n")
            sys.stdout.flush()
