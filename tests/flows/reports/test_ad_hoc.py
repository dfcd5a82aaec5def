"""Ad-hoc reports: a file, an email, a result."""

import pytest

from flows.reports.ad_hoc import generate_ad_hoc_report

pytestmark = pytest.mark.usefixtures("prefect_api")


def test_csv_has_the_rows_of_the_database(report_folder, smtp_sink):
    config = {
        "name": "Custom Report",
        "query": "select n, 'row ' || n as text from generate_series(1, 3) as n",
        "format": "csv",
        "recipients": ["admin@example.com"],
    }
    result = generate_ad_hoc_report(config)
    assert result["message"] == "Custom Report: 3 rows; 1 message sent"
    (received,) = smtp_sink.messages
    assert received.recipients == ["admin@example.com"]
    (attachment,) = received.mail.iter_attachments()
    assert attachment.get_filename().startswith("custom-report-")
    rows = attachment.get_payload(decode=True).decode().splitlines()
    assert rows == ["n,text", "1,row 1", "2,row 2", "3,row 3"]
    (file,) = report_folder.iterdir()
    assert file.read_bytes() == attachment.get_payload(decode=True)
