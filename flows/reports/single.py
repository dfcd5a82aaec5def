"""Make one report that an event or another program asks for, and send it.

Reads whatever its SQL reads; writes a run, its file and its message. Repeating is safe: a report (by id)
that says its schedule is made once per period, any other once per flow run.
"""

from typing import Any

from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.retries import SINGLE_REPORT
from analytics_worker.prefect_support.task import task
from flows.reports.definitions.payloads import requested
from flows.reports.output.files import slug
from flows.reports.runs.delivery import send_reports
from flows.reports.runs.requests import as_of, period_of, request_id, wanted
from flows.reports.runs.store import ledger
from flows.reports.tasks import ReportResult, make_all, make_run, result_of_one

make_report = task(**SINGLE_REPORT, name="make report")(make_run)
deliver_reports = task(**SINGLE_REPORT, name="deliver reports")(send_reports)


@task(**SINGLE_REPORT, name="ask for report")
def ask_for_report(report_data: dict[str, Any]) -> list[int]:
    """Check what is asked for, and write it down."""
    report = requested(report_data, "report_data")
    about = period_of(report, as_of())
    run = wanted(
        report, f"single/{slug(str(report_data.get('id') or report.name))}", "single", about
    )
    if report.schedule == "manual":
        run["period"] = request_id()
    with ledger() as book:
        return [asked.id for asked in book.ask([run])]


@flow(timeout_seconds=3600)
def generate_single_report(report_data: dict[str, Any]) -> ReportResult:
    """Make one report and send it to its recipients.

    Args:
        report_data: `id`, `name`, `query` (one SELECT), `format` (csv, json, ndjson, xlsx or excel,
            html, pdf, parquet), `recipients`, and `schedule_type` if it is about a day, week or
            month. Keys of a report in definitions/reports.yml (`parameters`, `queries`, `charts`, …)
            work, too.
    """
    asked = ask_for_report(report_data)
    made = make_all(make_report, asked)
    delivery = deliver_reports([each["run"] for each in made])
    return result_of_one(asked, made, delivery)
