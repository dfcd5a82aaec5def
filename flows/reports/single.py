"""Generate and deliver one report that an event or another program requests.

Reads what its SQL reads; writes a run, its file and its message. Safe to repeat: a report (by id)
with a schedule is generated once per period, any other once per flow run.
"""

from typing import Annotated, Any

from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.parameter_forms import FormOf
from analytics_worker.prefect_support.retries import SINGLE_REPORT
from analytics_worker.prefect_support.task import task
from flows.reports._run_names import name_of
from flows.reports.definitions.forms import SingleReportForm
from flows.reports.definitions.payloads import report_from_payload
from flows.reports.runs.delivery import send_reports
from flows.reports.runs.keys import run_key
from flows.reports.runs.requests import request_id, run_request, scheduled_time
from flows.reports.scheduling.report_periods import last_report_period
from flows.reports.tasks import ReportResult, generate_and_deliver, generate_run, request_run

generate_report = task(**SINGLE_REPORT, name="generate report")(generate_run)
deliver_reports = task(**SINGLE_REPORT, name="deliver reports")(send_reports)


@task(**SINGLE_REPORT, name="request report")
def request_report(report_data: dict[str, Any]) -> list[int]:
    """Check the payload and request its run."""
    report = report_from_payload(report_data, "report_data")
    given = report_data.get("id")
    name = f"single/{run_key(report.name if given is None or given == '' else str(given))}"
    request = run_request(report, name, "single", last_report_period(report, scheduled_time()))
    if report.schedule == "manual":
        request["period"] = request_id()
    return request_run(request)


@flow(timeout_seconds=3600, run_name=name_of("report", "report_data"))
def generate_single_report(
    report_data: Annotated[dict[str, Any], FormOf(SingleReportForm)],
) -> ReportResult:
    """Generate one report and send it to its recipients.

    Args:
        report_data: `id`, `name`, `query` (one SELECT), `format` (csv, json, ndjson, xlsx or excel,
            html, pdf, parquet), `recipients`, and `schedule_type` if it covers a day, week or
            month. Keys of a report in definitions/reports.yml (`parameters`, `queries`, `charts`, …)
            are accepted, too.
    """
    return generate_and_deliver(request_report(report_data), generate_report, deliver_reports)
