"""Payloads of reports, in the form that callers of the Celery worker sent, with any content."""

import pytest

from analytics_worker.report_storage.file_names import slugify
from analytics_worker.report_storage.storage import checked_filename
from flows.reports.definitions.model import Report
from flows.reports.definitions.payloads import ReportRequestError, report_from_payload
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


def error_of(**changes: object) -> str:
    with pytest.raises(ReportRequestError) as error:
        report_from_payload(DATA | changes, "report_config")
    return str(error.value)


def test_example_of_the_celery_registry():
    report = report_from_payload(DATA, "report_config")
    assert (report.name, report.sql, report.format) == ("Custom Report", "SELECT 1", ["csv"])
    assert report.recipients.to == ["a@example.com"]


def test_unknown_keys_are_ignored():
    row = {"id": 7, "schedule_type": "weekly", "created_at": "2026-01-01", "is_active": True}
    report = report_from_payload(DATA | row | {"format": "excel"}, "report_data")
    assert (report.schedule, report.format) == ("weekly", ["xlsx"])


def test_recipients_may_be_one_text():
    report = report_from_payload(
        DATA | {"recipients": "a@example.com, b@example.com"}, "report_data"
    )
    assert report.recipients.to == ["a@example.com", "b@example.com"]


def test_recipients_are_optional():
    assert report_from_payload(DATA | {"recipients": None}, "report_data").recipients.to == []


def test_invalid_values_are_named_with_what_is_expected():
    known = "expected one of csv, excel, html, json, ndjson, parquet, pdf, xlsx"
    assert known in error_of(format="docx")
    assert "expected daily, weekly, monthly, manual" in error_of(schedule_type="dayly")
    assert "report_config.query is missing" in error_of(query=None)
    assert "DROP is not allowed" in error_of(query="drop table x")
    assert ":team is not a parameter of the report" in error_of(query="select :team")
    assert "report_config.recipients" in error_of(recipients=["nobody"])
    assert "report_config.name is missing" in error_of(name=None)


@attack(
    by="API caller",
    what="a report name of 10,000 characters",
    answer="refused",
)
def test_name_of_ten_thousand_characters_is_refused():
    assert (
        error_of(name="x" * 10_000) == "report_config.name has 10,000 characters; expected 1 to 200"
    )


@pytest.mark.parametrize("name", NAUGHTY)
@attack(
    by="API caller",
    what="a report name with slashes, dots and control characters",
    answer="a file name inside the folder",
)
def test_name_can_not_lead_out_of_the_folder(name):
    """Any report name results in a plain file name."""
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
def test_address_can_not_add_a_header(address):
    assert "report_config.recipients" in error_of(recipients=[address])


@attack(
    by="data",
    what='an address column with a name or a quoted comma: "x@evil.example, Ann" <ann@example.com>',
    answer="refused as a whole; no part of it gets the report",
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
def test_only_plain_addresses_are_taken_from_a_row(value: object):
    each = {"sql": "select 1 as k", "key": "k", "to": "mail"}
    one = Report.model_validate({"name": "r", "sql": "select 1", "for_each": each})
    with pytest.raises(RecipientError, match="is not a valid email address"):
        recipients_of(one, {"mail": value})
    for valid in (["a@example.com", "b@example.com"], "a@example.com, b@example.com,"):
        addresses = [each.address for each in recipients_of(one, {"mail": valid})]
        assert addresses == ["a@example.com", "b@example.com"]


def test_all_mistakes_are_named():
    message = error_of(
        name=None,
        query=None,
        format=["docx", "csv", "odt"],
        schedule_type="dayly",
        recipients=["nobody"],
        owner="nobody",
        max_rows=0,
    )
    named = ["name is missing", "query is missing", "'docx'", "'odt'", "'dayly'", "recipients"]
    named += ["report_config.owner", "report_config.max_rows"]
    assert [name for name in named if name not in message] == []
    assert "SQL is missing" not in message


def test_what_follows_from_a_mistake_is_not_named_as_another_one():
    parameters = {"parameters": {"team": "EMEA"}}
    assert (
        error_of(query=None, **parameters) == "report_config.query is missing; expected one SELECT"
    )
