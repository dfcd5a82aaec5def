"""Checks run side by side, and one that hangs holds nobody up."""

import threading
from collections.abc import Iterator

import pytest

from flows.monitoring._checks import Check, CheckResult, Finding, overall, run_checks
from flows.monitoring.health import page, sentence
from tests.support.attacks import attack


def healthy() -> Finding:
    return Finding("healthy", "fine")


@pytest.fixture
def hang() -> Iterator[Check]:
    """A check that never ends by itself."""
    released = threading.Event()

    def look() -> Finding:
        released.wait(60)
        return healthy()

    yield Check("hanging", look, 0.2, "degraded", "Wait no longer.")
    released.set()


def test_a_check_that_hangs_is_out_of_time_and_the_others_answer(hang: Check):
    both_met = threading.Barrier(2)  # proves that they run at the same time

    def meet() -> Finding:
        both_met.wait(20)
        return healthy()

    others = [Check(name, meet, 30) for name in ("one", "other")]
    results = {result["name"]: result for result in run_checks([hang, *others])}
    assert results["hanging"]["message"] == "no answer within 0.2 s"
    assert (results["hanging"]["status"], results["hanging"]["fix"]) == (
        "degraded",
        "Wait no longer.",
    )
    assert {results["one"]["status"], results["other"]["status"]} == {"healthy"}


def test_an_answer_after_the_time_is_no_answer():
    go, late = threading.Event(), threading.Event()

    def answer_late() -> Finding:
        late.wait(20)
        go.set()
        return healthy()

    def outlast() -> Finding:
        threading.Event().wait(0.3)  # longer than the other one has
        late.set()
        go.wait(20)
        return healthy()

    results = run_checks([Check("late", answer_late, 0.1), Check("outlasting", outlast, 30)])
    assert [result["status"] for result in results] == ["unhealthy", "healthy"]


def test_a_check_that_raises_says_why_in_one_line():
    def fail() -> Finding:
        raise ValueError("no\nway")

    (result,) = run_checks([Check("broken", fail, 5, "degraded", "Mend it.")])
    assert (result["status"], result["message"], result["fix"]) == (
        "degraded",
        "no way",
        "Mend it.",
    )


def test_the_verdict_is_the_worst_and_skipped_is_no_worse_than_healthy(hang: Check):
    skipped = Check("skipped", lambda: Finding("skipped", "not configured"), 5)
    fine = Check("fine", healthy, 5)
    assert overall(run_checks([skipped])) == "healthy"
    assert overall(run_checks([skipped, fine])) == "healthy"
    results = run_checks([fine, hang, skipped])
    assert overall(results) == "degraded"
    assert sentence(results) == "degraded: hanging: no answer within 0.2 s. Wait no longer."
    assert "| hanging | 🟡 degraded |" in page(results)


def test_tables_survive_what_services_say():
    (result,) = run_checks([Check("odd", lambda: Finding("healthy", "a | b"), 5)])
    assert "a \\| b" in page([result])


@attack(
    by="data",
    what="Markdown in a message of a health check: an image, a link, a tag, another table cell",
    answer="shown as text: the Prefect UI loads and links nothing",
)
def test_a_message_is_no_markdown():
    hostile = "![x](http://evil.example/p.png) [a](b) <img src=x> | cell\n# title"
    found = CheckResult(name="n", status="healthy", milliseconds=1.0, message=hostile, fix="Wait.")
    row = page([found]).splitlines()[-1]
    assert r"!\[x\](http" in row
    assert r"\<img" in row
    assert r"\| cell # title" in row
