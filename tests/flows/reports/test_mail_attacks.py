"""Header injection in the emails of reports, by values of tables and titles of authors."""

import re

import pytest

from analytics_worker.text import one_line
from flows.reports import generate_scheduled_reports
from tests.flows.reports.reports import ANN, OWNER, report, store_reports
from tests.support.attacks import attack
from tests.support.header_attacks import HEADER_ATTACKS, IN_DATABASE
from tests.support.received_emails import assert_is_one_email, part_text
from tests.support.sql import execute

pytestmark = pytest.mark.usefixtures("prefect_api", "report_folder")

TEXTS = list(IN_DATABASE.values())
TITLES = [
    text
    for text in HEADER_ATTACKS.values()
    if re.fullmatch(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,200}", text)
]


@pytest.fixture(autouse=True)
def _customers(report_folder):  # noqa: ARG001  # its database
    execute("create table analytics.customers (number integer, name text)")
    execute("grant select on analytics.customers to analytics_reader")
    for number, name in enumerate(TEXTS):
        execute("insert into analytics.customers values (:number, :name)", number=number, name=name)


EACH = {
    "sql": "select number || ' ' || name as k, '=?utf-8?q?x?= ' || name as other from analytics.customers",
    "key": "k",
}


def assert_has_no_markup(html: str) -> None:
    assert re.search(r"<(script|h1>pay|img src=x|https)", html) is None


@attack(
    by="data",
    what="A customer's name with a header, line ends or control characters, as a key of for_each",
    answer="Text in subject, body, HTML and file name; the email has no further header",
)
def test_keys(smtp_sink):
    tile = {"title": "Sum", "sql": "select 1"}
    store_reports(report(sql="select :other as o", for_each=EACH, recipients=[ANN], tiles=[tile]))
    assert generate_scheduled_reports()["summary"]["made"] == len(TEXTS)
    assert len(smtp_sink.messages) == len(TEXTS)
    for received in smtp_sink.messages:
        subject = str(received.mail["Subject"])
        assert subject == one_line(subject)
        assert subject.startswith("sales – ")
        mail = assert_is_one_email(received, subject)
        (file,) = mail.iter_attachments()  # pyright: ignore[reportAttributeAccessIssue]
        assert re.fullmatch(r"[\w-]+\.csv", file.get_filename())
        lines = part_text(mail, "text/plain").splitlines()
        assert lines[0] == subject
        assert sum(line.startswith("Sum: 1") for line in lines) == 1
        assert_has_no_markup(part_text(mail, "text/html"))


@attack(
    by="data",
    what="The same names in the error message to the owner of a report",
    answer="One line each for the key and the error",
)
def test_errors(smtp_sink):
    store_reports(
        report(
            sql="select cast('x' || :k as integer) as n",
            for_each=EACH | {"sql": f"{EACH['sql']} where number % 3 = 0"},
            recipients=[ANN],
        )
    )
    state = generate_scheduled_reports(return_state=True)
    assert state.result(raise_on_failure=False)["summary"]["failed"] == len(TEXTS[::3])
    assert {each.recipients[0] for each in smtp_sink.messages} == {OWNER}
    assert len(smtp_sink.messages) == len(TEXTS[::3])
    for received in smtp_sink.messages:
        mail = assert_is_one_email(
            received, str(received.mail["Subject"]), "Content-Transfer-Encoding"
        )
        labels = re.findall(r"(?m)^(\w+): ", part_text(mail, "text/plain"))
        assert labels == ["Report", "For", "Period", "Error"]


@attack(
    by="author",
    what="A title, a tile, a note and a description that hold a header, a template or markup",
    answer="Text in subject, text part and HTML",
)
def test_titles(smtp_sink):
    store_reports(
        *(
            report(
                f"r{number}",
                title=title,
                description=f"x\n{title}",
                tiles=[{"title": title, "sql": "select 1"}],
                notes=[title],
                format=["csv", "html"],
            )
            for number, title in enumerate(TITLES)
        )
    )
    assert generate_scheduled_reports()["summary"]["made"] == len(TITLES)
    assert len(smtp_sink.messages) == len(TITLES)
    subjects = {one_line(title) for title in TITLES}
    for received in smtp_sink.messages:
        subject = str(received.mail["Subject"])
        mail = assert_is_one_email(received, subject)
        assert subject.rpartition(" – ")[0] in subjects
        names = [part.get_filename() for part in mail.iter_attachments()]  # pyright: ignore[reportAttributeAccessIssue]
        assert all(re.fullmatch(r"[a-z0-9-]+\.(csv|html)", name) for name in names)
        assert_has_no_markup(part_text(mail, "text/html"))
