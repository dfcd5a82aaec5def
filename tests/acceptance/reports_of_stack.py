"""What arrives of the stack's reports: mails, their attachments, and what the Prefect UI shows.

`STORIES` are the tests of `test_whole_worker`, which has the stack.
"""

import csv
import io
import re
from decimal import Decimal
from email.message import EmailMessage

import openpyxl
from prefect import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.objects import Artifact

from analytics_worker.prefect_support.runs import submit
from tests.acceptance.alerts_of_stack import Receivers, emit, run_of
from tests.support.smtp_sink import Received, SmtpSink
from tests.support.stack import RunningStack
from tests.support.warehouse_fixtures import query


def mails_about(sink: SmtpSink, words: str) -> list[Received]:
    """Those with the words in their subject, in order of arrival."""
    return [mail for mail in sink.messages if words in str(mail.mail["Subject"])]


def attachments(mail: EmailMessage) -> dict[str, bytes]:
    """Content by the last part of the name."""
    return {
        str(part.get_filename()).rpartition(".")[2]: bytes(part.get_payload(decode=True))
        for part in mail.iter_attachments()
    }


def column_total(workbook: bytes, sheet: str, title: str) -> Decimal:
    """The last row of a column, which is the sum of those above it."""
    rows = openpyxl.load_workbook(io.BytesIO(workbook))[sheet].iter_rows(values_only=True)
    place = list(next(rows)).index(title)
    *parts, total = (Decimal(str(row[place] or 0)) for row in rows)
    assert total == sum(parts)
    return total


def figures(page: bytes) -> list[str]:
    """The numbers of the tiles."""
    return re.findall(r'class="figure"[^>]*>([^<]*)<', page.decode())


def csv_rows(file: bytes) -> list[list[str]]:
    """All lines but the header."""
    return list(csv.reader(io.StringIO(file.decode(), newline="")))[1:]


def artifacts_of(key: str) -> list[Artifact]:
    """What the Prefect UI shows under a key."""
    with get_client(sync_client=True) as client:
        named = ArtifactFilter(key=ArtifactFilterKey(any_=[key]))
        return client.read_artifacts(artifact_filter=named)


def the_daily_report_arrives_with_the_totals_of_the_view(
    stack: RunningStack, told: Receivers
) -> None:
    result = submit("generate-scheduled-reports", schedule_type="daily").get(timeout=240)
    assert (result["status"], result["summary"]["made"]) == ("success", 1), result
    (received,) = mails_about(told.mail, "Sales pipeline")
    files = attachments(received.mail)
    (total,) = query(stack, "select sum(open_value) from analytics_pipeline_kpis")[0]
    assert column_total(files["xlsx"], "Teams", "Open value") == total
    assert figures(files["html"])[0] == f"{total:,.0f}"
    assert len(artifacts_of("report-daily-pipeline")) == 2
    again = submit("generate-scheduled-reports", schedule_type="daily").get(timeout=240)
    assert (again["summary"]["made"], again["delivery"]["sent"]) == (0, 0), again


def the_ad_hoc_report_of_the_registry_works_as_written(
    stack: RunningStack, told: Receivers
) -> None:
    config = {
        "name": "Custom Report",
        "query": "SELECT * FROM analytics_pipeline_kpis LIMIT 100",
        "format": "csv",
        "recipients": ["admin@example.com"],
    }
    run = submit("generate-ad-hoc-report", report_config=config)
    assert run.get(timeout=240)["message"] == "Custom Report: 100 rows; 1 message sent"
    (received,) = mails_about(told.mail, "Custom Report")
    assert received.recipients == ["admin@example.com"]
    assert len(csv_rows(attachments(received.mail)["csv"])) == 100
    assert query(stack, "select count(*) from ops.report_runs where kind = 'ad_hoc'") == [(1,)]


def an_event_asks_for_a_report(stack: RunningStack, told: Receivers) -> None:
    data = {
        "id": 17,
        "name": "Asked by an app",
        "query": "select stage, sum(open_value) from analytics.pipeline_kpis group by stage",
        "format": "excel",
        "recipients": ["app@example.com"],
    }
    emit(stack, "analytics.report.requested", {"report_data": data})
    run = run_of("generate-single-report")
    assert (run.state_name, run.parameters) == ("Completed", {"report_data": data})
    (received,) = mails_about(told.mail, "Asked by an app")
    assert set(attachments(received.mail)) == {"xlsx"}


STORIES = (
    the_daily_report_arrives_with_the_totals_of_the_view,
    the_ad_hoc_report_of_the_registry_works_as_written,
    an_event_asks_for_a_report,
)
