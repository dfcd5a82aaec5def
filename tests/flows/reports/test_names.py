"""Reports whose names are alike: each is generated, stored and sent."""

import pytest

from flows.reports import generate_scheduled_reports, generate_single_report
from tests.flows.reports.reports import ANN, attachment, report, runs, store_reports

pytestmark = pytest.mark.usefixtures("prefect_api", "report_folder")

ALIKE = [
    ("Отчёт по продажам", "人事レポート"),
    ("Sales EU", "Sales (EU)"),
    ("x" * 60 + "1", "x" * 60 + "2"),
]


def single(**fields: object):
    data = {"format": "csv", "recipients": [ANN], "schedule_type": "weekly"}
    return generate_single_report(data | fields)


@pytest.mark.parametrize("names", ALIKE)
def test_requested_reports_with_similar_names_are_all_sent(names, smtp_sink, report_folder):
    for number, name in enumerate(names):
        (result,) = single(name=name, query=f"select {number} as n")["reports"]
        assert result["status"] == "ready"
    assert [attachment(each) for each in smtp_sink.messages] == [b"n\n0\n", b"n\n1\n"]
    assert len(list(report_folder.iterdir())) == 2


def test_requested_reports_with_similar_ids_are_all_sent(smtp_sink):
    for number, given in enumerate(["a.b", "a-b", "", 0]):
        single(id=given, name="Same", query=f"select {number} as n")
    assert [name for name, _, _ in runs()] == [
        "single/a.b",
        "single/a-b",
        "single/Same",
        "single/0",
    ]
    assert len(smtp_sink.messages) == 4


@pytest.mark.parametrize("names", ALIKE)
def test_scheduled_reports_with_similar_names_are_all_sent(names, smtp_sink, report_folder):
    store_reports(*(report(name) for name in names))
    assert generate_scheduled_reports()["summary"]["made"] == 2
    assert len(smtp_sink.messages) == len(list(report_folder.iterdir())) == 2


def test_file_names_keep_the_letters_of_the_report_and_of_the_key(smtp_sink, report_folder):
    keys = ["EMEA", "emea", "North West", "North-West", "a/b", "a.b", "Österreich", "ÖSTERREICH"]
    each = {"sql": f"select unnest(array{keys}) as k", "key": "k"}
    store_reports(report("Umsatz Österreich", "select :k as k", for_each=each))
    generate_scheduled_reports()
    attached = [
        part.get_filename() or ""
        for mail in smtp_sink.messages
        for part in mail.mail.iter_attachments()
    ]
    assert len({name.casefold() for name in attached}) == len(keys)
    names = {name.removeprefix("umsatz-oesterreich-")[:-15] for name in attached}
    assert {"EMEA", "North_West", "North-West", "Österreich"} < names
    assert all(each.name.startswith("umsatz-oesterreich-") for each in report_folder.iterdir())


def test_retry_command_quotes_the_name(smtp_sink):
    store_reports(report("Sales (EU)", "select nope"))
    generate_scheduled_reports(return_state=True)
    (received,) = smtp_sink.messages
    assert "reports run 'Sales (EU)' --period" in received.mail.get_content()
