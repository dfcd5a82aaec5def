"""Health checks run concurrently; one that hangs does not delay the others."""

import socket
import threading
from collections.abc import Iterator

import pytest

from flows.monitoring.checks.runner import Check, CheckResult, Finding, overall_status, run_checks
from flows.monitoring.health import health_page, summary_line
from tests.support.attacks import attack


def healthy() -> Finding:
    return Finding("healthy", "fine")


@pytest.fixture
def hang() -> Iterator[Check]:
    """A check that ends only after the test."""
    released = threading.Event()

    def wait() -> Finding:
        released.wait(60)
        return healthy()

    yield Check("hanging", wait, 0.2, "degraded", "Wait no longer.")
    released.set()


def test_a_check_that_hangs_times_out_and_the_others_complete(hang: Check):
    barrier = threading.Barrier(2)  # proves that they run at the same time

    def meet() -> Finding:
        barrier.wait(20)
        return healthy()

    others = [Check(name, meet, 30) for name in ("one", "other")]
    results = {result["name"]: result for result in run_checks([hang, *others])}
    assert results["hanging"]["message"] == "no answer within 0.2 s"
    assert (results["hanging"]["status"], results["hanging"]["fix"]) == (
        "degraded",
        "Wait no longer.",
    )
    assert {results["one"]["status"], results["other"]["status"]} == {"healthy"}


def test_a_result_after_the_timeout_is_ignored():
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


def test_an_error_of_a_check_becomes_a_one_line_message():
    def fail() -> Finding:
        raise ValueError("no\nway")

    (result,) = run_checks([Check("broken", fail, 5, "degraded", "Repair it.")])
    assert (result["status"], result["message"], result["fix"]) == (
        "degraded",
        "no way",
        "Repair it.",
    )


def test_the_overall_status_is_the_worst_and_skipped_counts_as_healthy(hang: Check):
    skipped = Check("skipped", lambda: Finding("skipped", "not configured"), 5)
    fine = Check("fine", healthy, 5)
    assert overall_status(run_checks([skipped])) == "healthy"
    assert overall_status(run_checks([skipped, fine])) == "healthy"
    results = run_checks([fine, hang, skipped])
    assert overall_status(results) == "degraded"
    where = f"degraded on {socket.gethostname()}"
    assert summary_line(results) == f"{where}: hanging: no answer within 0.2 s. Wait no longer."
    assert "| hanging | 🟡 degraded |" in health_page(results)


def test_messages_of_services_do_not_break_the_table():
    (result,) = run_checks([Check("odd", lambda: Finding("healthy", "a | b"), 5)])
    assert "a \\| b" in health_page([result])


@attack(
    by="data",
    what="Markdown in a message of a health check: an image, a link, a tag, another table cell",
    answer="shown as text: the Prefect UI loads and links nothing",
)
def test_markdown_in_a_message_is_escaped():
    hostile = "![x](http://evil.example/p.png) [a](b) <img src=x> | cell\n# title"
    result = CheckResult(name="n", status="healthy", milliseconds=1.0, message=hostile, fix="Wait.")
    row = health_page([result]).splitlines()[-1]
    assert r"!\[x\](http" in row
    assert r"\<img" in row
    assert r"\| cell # title" in row
