"""A report for each row: rows whose keys are not their own harm no other row's report."""

import pytest

from flows.reports import generate_scheduled_reports
from tests.flows.reports.reports import OWNER, attachment, body, report, store_reports
from tests.support.attacks import attack
from tests.support.sql import execute

pytestmark = pytest.mark.usefixtures("prefect_api", "report_folder")


@attack(
    by="data",
    what="a for_each row with the key of another row, also one that differs only after 200 characters or in invisible characters",
    answer="the other keys' reports are sent, that key's is not; different keys are different reports",
)
def test_a_key_of_several_rows_fails_alone(smtp_sink):
    execute("create table analytics.teams (k text, mail text)")
    execute("grant select on analytics.teams to analytics_reader")
    execute(
        """insert into analytics.teams values ('a', 'a@example.com'), ('twice', 'b@example.com'),
        ('twice', 'eve@example.com'), (null, 'c@example.com'), ('None', 'd@example.com'),
        (repeat('x', 300) || '1', 'e@example.com'), (repeat('x', 300) || '2', 'f@example.com'),
        ('a' || chr(8203), 'g@example.com')"""
    )
    each = {"sql": "select * from analytics.teams", "key": "k", "to": "mail"}
    store_reports(report(sql="select :mail as mail", for_each=each, recipients=[]))
    state = generate_scheduled_reports(return_state=True)
    assert state.name == "Partial"
    assert "the key 'twice' is in 2 rows" in state.message
    assert "the key '' is empty" in state.message
    got = {
        received.recipients[0]: attachment(received)
        for received in smtp_sink.messages
        if received.recipients != [OWNER]
    }
    alone = ["a", "d", "e", "f", "g"]
    assert got == {f"{n}@example.com": f"mail\n{n}@example.com\n".encode() for n in alone}
    owner = [body(each) for each in smtp_sink.messages if each.recipients == [OWNER]]
    assert len(owner) == 2

    smtp_sink.messages.clear()
    execute("update analytics.teams set k = 'once' where mail = 'eve@example.com'")
    generate_scheduled_reports(return_state=True)
    assert [each.recipients for each in smtp_sink.messages] == [["b@example.com"]]
