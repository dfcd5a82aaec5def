"""Reports that arrive as data: what callers of the Celery worker sent, whatever is in it."""

import pytest

from analytics_worker.report_storage.storage import checked_filename
from flows.reports.definitions.model import Report
from flows.reports.definitions.payloads import ReportRequestError, report_from_payload
from flows.reports.output.files import slugify
from flows.reports.output.recipients import RecipientError, recipients_of
from tests.support.attacks import attack

NAUGHTY = [
    "../../etc/passwd",
    "\u202eevil",
    "😀😀",
    "<script>",
    "a\x00b",
    "'; drop table x; --",
    "ÄÖÜ",
    "CON",
    ".",
]
DATA = {"name": "Custom Report", "query": "SELECT 1", "format": "csv", "recipients": ["a@example.com"]}  # fmt: skip


def refusal(**changes: object) -> str:
    with pytest.raises(ReportRequestError) as refused:
        report_from_payload(DATA | changes, "report_config")
    return str(refused.value)


def test_the_example_of_the_registry():
    report = report_from_payload(DATA, "report_config")
    assert (report.name, report.sql, report.format) == ("Custom Report", "SELECT 1", ["csv"])
    assert report.recipients.to == ["a@example.com"]


def test_a_whole_row_of_the_original_with_columns_that_nobody_needs():
    row = {"id": 7, "schedule_type": "weekly", "created_at": "2026-01-01", "is_active": True}
    report = report_from_payload(DATA | row | {"format": "excel"}, "report_data")
    assert (report.schedule, report.format) == ("weekly", ["xlsx"])


def test_recipients_may_be_one_text():
    report = report_from_payload(
        DATA | {"recipients": "a@example.com, b@example.com"}, "report_data"
    )
    assert report.recipients.to == ["a@example.com", "b@example.com"]


def test_zero_recipients_are_no_mistake():
    assert report_from_payload(DATA | {"recipients": None}, "report_data").recipients.to == []


def test_what_can_not_be_used_is_named_with_what_to_write():
    known = "expected one of csv, excel, html, json, ndjson, parquet, pdf, xlsx"
    assert known in refusal(format="docx")
    assert "expected daily, weekly, monthly, manual" in refusal(schedule_type="dayly")
    assert "report_config.query is missing" in refusal(query=None)
    assert "DROP is not allowed" in refusal(query="drop table x")
    assert ":team is not a parameter of the report" in refusal(query="select :team")
    assert "report_config.recipients" in refusal(recipients=["nobody"])
    assert "report_config.name is missing" in refusal(name=None)


@attack(
    by="API caller",
    what="a report name of 10,000 characters",
    answer="refused",
)
def test_a_name_of_ten_thousand_characters_is_refused():
    assert (
        refusal(name="x" * 10_000) == "report_config.name has 10,000 characters; expected 1 to 200"
    )


@pytest.mark.parametrize("name", NAUGHTY)
@attack(
    by="API caller",
    what="a report name with slashes, dots and control characters",
    answer="a file name inside the folder",
)
def test_no_name_leads_out_of_the_folder(name):
    """Whatever it is called, its file has a plain name."""
    report = report_from_payload(DATA | {"name": name}, "report_config")
    assert checked_filename(f"{slugify(report.name)}-1-2026-11-24.csv")


@pytest.mark.parametrize(
    "address", ["a@b\nBcc: eve@example.net", "a b@c", "<a@b>", "a@b,c@d;", "@"]
)
@attack(
    by="API caller",
    what="an address with a line break and a header",
    answer="refused",
)
def test_no_address_smuggles_a_header(address):
    assert "report_config.recipients" in refusal(recipients=[address])


@attack(
    by="data",
    what='an address column with a name or a quoted comma: "x@evil.example, Ann" <ann@example.com>',
    answer="refused whole; no part of it gets the report",
)
@pytest.mark.parametrize(
    "value",
    [
        '"x@evil.example, Ann" <ann@example.com>',
        "x@evil.example, Ann <ann@example.com>",
        "Ann <ann@example.com>",
        '"a,b"@example.com',
        ["x@evil.example, ann@example.com"],
        ["ann@example.com\nx@evil.example"],
    ],
)
def test_only_plain_addresses_come_from_a_row(value: object):
    each = {"sql": "select 1 as k", "key": "k", "to": "mail"}
    one = Report.model_validate({"name": "r", "sql": "select 1", "for_each": each})
    with pytest.raises(RecipientError, match="is not a valid email address"):
        recipients_of(one, {"mail": value})
    for right in (["a@example.com", "b@example.com"], "a@example.com, b@example.com,"):
        named = [each.address for each in recipients_of(one, {"mail": right})]
        assert named == ["a@example.com", "b@example.com"]
