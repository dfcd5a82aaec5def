"""Make one report that somebody asks for now, and send it.

Reads whatever its SQL reads; writes a run, its file and its message. Repeating the same flow run is safe:
it has one run in the ledger; another flow run is another report.
"""

from typing import Any

from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.retries import AD_HOC_REPORT
from analytics_worker.prefect_support.task import task
from flows.reports.definitions.payloads import requested
from flows.reports.output.files import slug
from flows.reports.runs.delivery import send_reports
from flows.reports.runs.requests import as_of, period_of, request_id, wanted
from flows.reports.runs.store import ledger
from flows.reports.tasks import ReportResult, make_all, make_run, result_of_one

make_report = task(**AD_HOC_REPORT, name="make report")(make_run)
deliver_reports = task(**AD_HOC_REPORT, name="deliver reports")(send_reports)


@task(**AD_HOC_REPORT, name="ask for report")
def ask_for_report(report_config: dict[str, Any]) -> list[int]:
    """Check what is asked for, and write it down."""
    report = requested(report_config, "report_config")
    name, label = f"ad-hoc/{slug(report.name)}", request_id()
    run = wanted(report, name, "ad_hoc", period_of(report, as_of()), period=label)
    with ledger() as book:
        return [asked.id for asked in book.ask([run])]


@flow(timeout_seconds=3600)
def generate_ad_hoc_report(report_config: dict[str, Any]) -> ReportResult:
    """Make a report that is described by its parameter, and send it to its recipients.

    Args:
        report_config: `name`, `query` (one SELECT), `format` (csv, json, ndjson, xlsx or excel, html,
            pdf, parquet) and `recipients`, a list of addresses. Keys of a report in
            definitions/reports.yml (`parameters`, `queries`, `charts`, …) work, too.
    """
    asked = ask_for_report(report_config)
    made = make_all(make_report, asked)
    delivery = deliver_reports([each["run"] for each in made])
    return result_of_one(asked, made, delivery)
