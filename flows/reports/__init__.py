"""Reports: SQL whose results are delivered as files and emails, once for each period."""

from flows.reports.ad_hoc import generate_ad_hoc_report
from flows.reports.due import generate_due_reports
from flows.reports.retention import cleanup_old_reports
from flows.reports.scheduled import generate_scheduled_reports
from flows.reports.single import generate_single_report

__all__ = [
    "cleanup_old_reports",
    "generate_ad_hoc_report",
    "generate_due_reports",
    "generate_scheduled_reports",
    "generate_single_report",
]
