"""Reports are deleted by age, number and size, files and rows together; the last successful one stays."""

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

pytestmark = pytest.mark.usefixtures("prefect_api", "report_folder")

DAYS = [f"2026-11-{day:02}" for day in range(1, 6)]


@pytest.fixture
def five(report_folder) -> list[str]:
    """Generate a report for five days in order; return the names of its files."""
    for day in DAYS:
        run_now(report(), day)
    deliver_due("reports")
    assert len(list(report_folder.iterdir())) == 5
    return query("select files -> 0 ->> 'name' from ops.report_runs order by period")


def remaining(report_folder) -> tuple[list[str], list[str]]:
    return sorted(path.name for path in report_folder.iterdir()), query(
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


def test_by_age_except_for_the_last_successful_run(five, report_folder):
    age(days=31)
    result = cleanup_old_reports()
    assert (result["deleted"], result["files"], {r["why"] for r in result["reports"]}) == (
        4,
        4,
        {"age"},
    )
    assert remaining(report_folder) == (five[-1:], five[-1:])
    assert cleanup_old_reports()["deleted"] == 0


def test_last_successful_run_stays_when_later_ones_failed(five, report_folder):
    execute(
        "update ops.report_runs set status = 'failed', files = '[]' where period = :day",
        day=DAYS[-1],
    )
    (report_folder / five[-1]).unlink()
    age(days=31)
    cleanup_old_reports()
    assert remaining(report_folder) == (five[-2:-1], five[-2:-1])


def test_ad_hoc_reports_are_deleted_by_age(report_folder):
    config = {"name": "Question", "query": "select 1 as n"}
    names = [generate_ad_hoc_report(config)["reports"][0]["files"] for _ in range(2)]
    assert len(list(report_folder.iterdir())) == len({tuple(each) for each in names}) == 2
    assert cleanup_old_reports()["deleted"] == 0
    age(days=31)
    assert cleanup_old_reports()["deleted"] == 2
    assert remaining(report_folder) == ([], [])


def test_by_number(five, report_folder, monkeypatch):
    limit(monkeypatch, count=2)
    assert {r["why"] for r in cleanup_old_reports()["reports"]} == {"count"}
    assert remaining(report_folder) == (five[-2:], five[-2:])


def test_by_size(five, report_folder, monkeypatch):
    execute("update ops.report_runs set bytes = 400000")
    limit(monkeypatch, mb=1)
    assert {r["why"] for r in cleanup_old_reports()["reports"]} == {"bytes"}
    assert remaining(report_folder) == (five[-2:], five[-2:])


def test_dry_run_deletes_nothing(five, report_folder):
    age(days=31)
    result = cleanup_old_reports(dry_run=True)
    assert (result["deleted"], result["message"]) == (
        4,
        "4 reports of 0.0 MB and 0 temporary files to delete",
    )
    assert remaining(report_folder) == (five, five)


def test_runs_with_pending_deliveries_stay(five, report_folder):
    execute("update ops.deliveries set status = 'pending'")
    age(days=31)
    assert cleanup_old_reports()["deleted"] == 0
    assert remaining(report_folder) == (five, five)


@pytest.mark.parametrize("name", ["../outside.csv", "/etc/passwd", "link.csv", "a/../../b.csv"])
@attack(
    by="data",
    what="a row of ops.report_runs that names a file outside the folder",
    answer="not deleted; the row stays",
)
def test_path_outside_the_folder_is_refused_and_its_row_stays(five, report_folder, name, tmp_path):
    outside = tmp_path / "outside.csv"
    outside.write_text("precious")
    (report_folder / "link.csv").symlink_to(outside)
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


def test_temporary_files_of_killed_writers_are_deleted_after_a_day(report_folder):
    report_folder.mkdir()
    fresh, old = report_folder / ".a-1.csv.0000.part", report_folder / ".b-1.csv.0000.part"
    for path in (fresh, old):
        path.touch()
    past = time.time() - ABANDONED_AFTER_SECONDS - 1
    os.utime(old, (past, past))
    assert cleanup_old_reports()["leftovers"] == 1
    assert list(report_folder.iterdir()) == [fresh]


def test_missing_file_does_not_stop_the_cleanup(five, report_folder):
    (report_folder / five[0]).unlink()
    age(days=31)
    assert cleanup_old_reports()["deleted"] == 4
