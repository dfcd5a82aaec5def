"""Reports go by age, number and size, file and row together, and the last good one stays."""

import os
import time

import pytest

from analytics_worker.delivery import deliver_due
from analytics_worker.report_storage.folder import ABANDONED_AFTER_SECONDS
from analytics_worker.settings import settings
from flows.reports import cleanup_old_reports, generate_ad_hoc_report
from flows.reports.runs.manual import run_now
from tests.flows.reports.reports import report
from tests.support.attacks import attack
from tests.support.sql import execute, query

pytestmark = pytest.mark.usefixtures("prefect_api", "post")

DAYS = [f"2026-11-{day:02}" for day in range(1, 6)]


@pytest.fixture
def five(post) -> list[str]:
    """A report of five days, made in that order; the names of its files."""
    for day in DAYS:
        run_now(report(), day)
    deliver_due("reports")
    assert len(list(post.iterdir())) == 5
    return query("select files -> 0 ->> 'name' from ops.report_runs order by period")


def left(post) -> tuple[list[str], list[str]]:
    return sorted(path.name for path in post.iterdir()), query(
        "select files -> 0 ->> 'name' from ops.report_runs order by period"
    )


def age(days: int) -> None:
    execute(
        "update ops.report_runs set created_at = now() - make_interval(days => :days)", days=days
    )


def limit(monkeypatch, **limits: int) -> None:
    for name, value in limits.items():
        monkeypatch.setenv(f"REPORT_RETENTION_{name.upper()}", str(value))
    settings.cache_clear()


def test_by_age_file_and_row_go_together_and_the_last_good_one_stays(five, post):
    age(days=31)
    result = cleanup_old_reports()
    assert (result["deleted"], result["files"], {r["why"] for r in result["reports"]}) == (
        4,
        4,
        {"age"},
    )
    assert left(post) == (five[-1:], five[-1:])
    assert cleanup_old_reports()["deleted"] == 0


def test_the_last_good_one_stays_also_if_later_ones_failed(five, post):
    execute(
        "update ops.report_runs set status = 'failed', files = '[]' where period = :day",
        day=DAYS[-1],
    )
    (post / five[-1]).unlink()
    age(days=31)
    cleanup_old_reports()
    assert left(post) == (five[-2:-1], five[-2:-1])


def test_what_somebody_asked_for_once_is_not_kept_for_ever(post):
    config = {"name": "Question", "query": "select 1 as n"}
    names = [generate_ad_hoc_report(config)["reports"][0]["files"] for _ in range(2)]
    assert len(list(post.iterdir())) == len({tuple(each) for each in names}) == 2
    assert cleanup_old_reports()["deleted"] == 0
    age(days=31)
    assert cleanup_old_reports()["deleted"] == 2
    assert left(post) == ([], [])


def test_by_number(five, post, monkeypatch):
    limit(monkeypatch, count=2)
    assert {r["why"] for r in cleanup_old_reports()["reports"]} == {"count"}
    assert left(post) == (five[-2:], five[-2:])


def test_by_size(five, post, monkeypatch):
    execute("update ops.report_runs set bytes = 400000")
    limit(monkeypatch, mb=1)
    assert {r["why"] for r in cleanup_old_reports()["reports"]} == {"bytes"}
    assert left(post) == (five[-2:], five[-2:])


def test_a_preview_deletes_nothing(five, post):
    age(days=31)
    result = cleanup_old_reports(dry_run=True)
    assert (result["deleted"], result["message"]) == (
        4,
        "4 reports of 0.0 MB and 0 temporary files to delete",
    )
    assert left(post) == (five, five)


def test_what_somebody_still_waits_for_stays(five, post):
    execute("update ops.deliveries set status = 'pending'")
    age(days=31)
    assert cleanup_old_reports()["deleted"] == 0
    assert left(post) == (five, five)


@pytest.mark.parametrize("name", ["../outside.csv", "/etc/passwd", "link.csv", "a/../../b.csv"])
@attack(
    by="data",
    what="a row of ops.report_runs that names a file outside the folder",
    answer="not deleted; the row stays",
)
def test_a_path_outside_the_folder_is_refused_and_its_row_stays(five, post, name, tmp_path):
    outside = tmp_path / "outside.csv"
    outside.write_text("precious")
    (post / "link.csv").symlink_to(outside)
    execute(
        "update ops.report_runs set files = jsonb_build_array(jsonb_build_object('name', cast(:name as text)))"
        " where period = :day",
        name=name,
        day=DAYS[0],
    )
    age(days=31)
    state = cleanup_old_reports(return_state=True)
    assert (state.name, outside.read_text()) == ("Partial", "precious")
    assert query("select count(*) from ops.report_runs where period = :day", day=DAYS[0]) == [1]
    assert len(five) == 5


def test_what_a_killed_run_left_goes_a_day_later(post):
    post.mkdir()
    fresh, old = post / ".a-1.csv.0000.part", post / ".b-1.csv.0000.part"
    for path in (fresh, old):
        path.touch()
    past = time.time() - ABANDONED_AFTER_SECONDS - 1
    os.utime(old, (past, past))
    assert cleanup_old_reports()["leftovers"] == 1
    assert list(post.iterdir()) == [fresh]


def test_a_file_that_is_gone_already_does_not_stop_it(five, post):
    (post / five[0]).unlink()
    age(days=31)
    assert cleanup_old_reports()["deleted"] == 4
