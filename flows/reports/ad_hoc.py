"""Generate and deliver one report that is described by a parameter.

Reads what its SQL reads; writes a run, its file and its message. Safe to repeat: a flow run has one
report run; another flow run has another.
"""

from typing import Annotated, Any

from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.parameter_forms import FormOf
from analytics_worker.prefect_support.retries import AD_HOC_REPORT
from analytics_worker.prefect_support.task import task
from flows.reports._run_names import name_of
from flows.reports.definitions.forms import AdHocForm
from flows.reports.definitions.payloads import report_from_payload
from flows.reports.runs.delivery import send_reports
from flows.reports.runs.keys import run_key
from flows.reports.runs.requests import request_id, run_request, scheduled_time
from flows.reports.scheduling.report_periods import last_report_period
from flows.reports.tasks import ReportResult, generate_and_deliver, generate_run, request_run

generate_report = task(**AD_HOC_REPORT, name="generate report")(generate_run)
deliver_reports = task(**AD_HOC_REPORT, name="deliver reports")(send_reports)


@task(**AD_HOC_REPORT, name="request report")
def request_report(report_config: dict[str, Any]) -> list[int]:
    """Check the payload and request its run."""
    report = report_from_payload(report_config, "report_config")
    name = f"ad-hoc/{run_key(report.name)}"
    request = run_request(report, name, "ad_hoc", last_report_period(report, scheduled_time()))
    request["period"] = request_id()
    return request_run(request)


@flow(timeout_seconds=3600, run_name=name_of("ad hoc report", "report_config"))
def generate_ad_hoc_report(
    report_config: Annotated[dict[str, Any], FormOf(AdHocForm)],
) -> ReportResult:
    """Generate a report that is described by its parameter, and send it to its recipients.

    Args:
        report_config: `name`, `query` (one SELECT), `format` (csv, json, ndjson, xlsx or excel, html,
            pdf, parquet) and `recipients`, a list of addresses. Keys of a report in
            definitions/reports.yml (`parameters`, `queries`, `charts`, …) are accepted, too.
    """
    return generate_and_deliver(request_report(report_config), generate_report, deliver_reports)
