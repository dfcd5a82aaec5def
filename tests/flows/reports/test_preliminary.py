"""Reports of periods that are not over: refused, or preliminary beside the report of the whole period."""

from datetime import UTC, datetime, timedelta

import pytest

from analytics_worker.calendars.schedules import ScheduleType
from analytics_worker.delivery import deliver_due
from analytics_worker.errors import PermanentError
from flows.reports import cleanup_old_reports, generate_scheduled_reports
from flows.reports.runs.manual import run_now
from flows.reports.runs.preliminary import manual_request
from flows.reports.runs.store import open_run_store
from flows.reports.scheduling.periods import last_period, period_at
from flows.reports.tasks import generate_run
from tests.flows.reports.reports import ANN, body, report, runs, store_reports
from tests.support.sql import execute, query

pytestmark = pytest.mark.usefixtures("prefect_api", "report_folder")


def current(kind: ScheduleType, timezone: str = "UTC") -> str:
    return period_at(kind, datetime.now(UTC), timezone).label


@pytest.mark.parametrize("kind", ["daily", "weekly", "monthly"])
def test_period_that_is_not_over_is_refused_in_one_line(kind: ScheduleType):
    with pytest.raises(PermanentError) as error:
        run_now(
            report(schedule=kind, timezone="Pacific/Auckland"), current(kind, "Pacific/Auckland")
        )
    text = str(error.value)
    assert text.startswith(f"{current(kind, 'Pacific/Auckland')} ends at 2")
    assert " 00:00 NZDT; expected 2" in text or " 00:00 NZST; expected 2" in text
    assert text.endswith("or an earlier period, or --so-far for a preliminary report")
    assert "\n" not in text
    assert runs() == []


@pytest.mark.parametrize("so_far", [False, True])
def test_period_that_has_not_begun_is_refused(so_far):
    with pytest.raises(PermanentError, match="2150-01-01 has not begun; expected 2"):
        run_now(report(), "2150-01-01", so_far=so_far)
    assert runs() == []


@pytest.mark.parametrize("label", ["9999-12-31", "0001-01-01"])
def test_period_that_can_not_be_computed_is_refused(label):
    with pytest.raises(PermanentError, match=f"'{label}' is not a valid daily period"):
        run_now(report(), label)


def test_preliminary_report_says_so(smtp_sink):
    for label in (current("daily"), None):
        (result,) = run_now(report(title="Sales"), label, so_far=True)
        assert (result["status"], result["period"]) == ("ready", current("daily"))
    deliver_due("reports")
    assert len(set(smtp_sink.ids())) == len(smtp_sink.messages) == 2
    for received in smtp_sink.messages:
        assert str(received.mail["Subject"]).startswith("Sales (preliminary) – ")
        for kind in ("plain", "html"):
            assert "Preliminary: the period was not over at 2" in body(received, kind)
        (part,) = received.mail.iter_attachments()
        assert part.get_filename() == f"sales-{current('daily')}-preliminary.csv"


def test_the_report_of_the_whole_period_follows(smtp_sink):
    one = report(title="Sales")
    store_reports(one)
    now = datetime.now(UTC)
    yesterday = last_period("daily", now, "UTC")
    request = manual_request(one, yesterday, yesterday.start + timedelta(hours=9), so_far=True)
    with open_run_store() as store:
        (requested,) = store.request_runs([request])
    assert generate_run(requested.id)
    assert generate_scheduled_reports()["summary"]["made"] == 1
    subjects = [str(each.mail["Subject"]) for each in smtp_sink.messages]
    assert [each.partition(" – ")[0] for each in subjects] == ["Sales (preliminary)", "Sales"]
    assert query("select kind from ops.report_runs order by id") == ["preliminary", "scheduled"]


def test_past_period_is_never_preliminary():
    (result,) = run_now(report(), "2026-11-24", so_far=True)
    assert query("select kind, period from ops.report_runs") == [("scheduled", "2026-11-24")]
    assert result["period"] == "2026-11-24"


def test_each_row_of_a_preliminary_report_is_preliminary(smtp_sink):
    each = {"sql": "select 'north' as k", "key": "k"}
    run_now(report(sql="select :k as k", for_each=each), None, so_far=True)
    deliver_due("reports")
    (received,) = smtp_sink.messages
    assert str(received.mail["Subject"]).startswith("sales – north (preliminary) – ")
    assert "Preliminary: the period was not over" in body(received)
    assert received.recipients == [ANN]


def test_change_is_not_compared_with_a_preliminary_report():
    one = report(only_if="changed")
    store_reports(one)
    run_now(one, None, so_far=True)
    assert generate_scheduled_reports()["summary"]["made"] == 1


def test_preliminary_report_is_deleted_by_age_and_does_not_replace_the_last_one():
    run_now(report(), "2026-11-24")
    run_now(report(), None, so_far=True)
    execute("update ops.report_runs set created_at = now() - interval '90 days'")
    execute("delete from ops.messages")
    cleanup_old_reports()
    assert query("select kind from ops.report_runs") == ["scheduled"]
