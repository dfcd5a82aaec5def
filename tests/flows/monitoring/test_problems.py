"""What is read as a problem, of which unit, and of whom."""

from analytics_worker.text import MAX_LINE
from tests.flows.monitoring.incidents import Incidents, Warehouse
from tests.support.attacks import attack
from tests.support.naughty_strings import NAUGHTY

MAX_LINES = 30


def test_a_reader_that_fails_keeps_what_it_found(units: Warehouse, incidents: Incidents, sql):
    units.node("a")
    units.rule("r")
    assert len(incidents.told()) == 2
    sql("alter table ops.dbt_node_health rename column status to state")
    units.rule("r", None)
    assert incidents.told() == ["resolved [resolved] rule r"]
    assert incidents.open() == [("analytics.a", "critical", 1)]
    assert incidents.last
    reasons = {each.split(": ")[0]: each for each in incidents.last.unread}
    assert reasons.keys() == {"dbt", "drift"}, "both read it"
    assert reasons["dbt"].startswith("dbt: column h.status does not exist")


def test_a_silenced_rule_opens_nothing_and_ends_nothing(
    units: Warehouse, incidents: Incidents, sql
):
    sql("insert into ops.alert_silences (rule, until) values ('quiet', now() + interval '1 h')")
    units.rule("quiet")
    units.rule("loud")
    assert incidents.told() == ["opened [critical] rule loud"]
    sql("insert into ops.alert_silences (rule, until) values ('loud', now() + interval '1 h')")
    assert incidents.told() == []
    assert incidents.open() == [("loud", "critical", 1)]


def test_the_owner_is_notified_and_a_name_that_no_channel_has_is_only_shown(
    units: Warehouse, incidents: Incidents, variables, sql
):
    variables(alert_email_host="127.0.0.1", alert_email_from="w@example.com")
    units.node("a", owner="Ann <ann@example.com>")
    units.rule("r", owner="bob@example.com")
    units.node("b")
    incidents.told()
    assert sql("select recipient from ops.deliveries order by recipient") == [
        ("ann@example.com",),
        ("bob@example.com",),
        ("webhook",),
    ]


def test_a_source_that_is_older_than_it_ever_was_opens_a_warning(
    units: Warehouse, incidents: Incidents, sql
):
    sql(
        "insert into ops.completeness_history select 'raw', 'orders', now() - n * interval '1 day',"
        " now() - n * interval '1 day' - interval '1 hour' from generate_series(2, 20) as n"
    )
    sql(
        "insert into ops.event_time_measurements (schema_name, relation_name, column_name, origin,"
        " complete_through, measured_at) values ('raw', 'orders', 'at', 'dbt',"
        " now() - interval '26 hours', now())"
    )
    assert incidents.told() == []
    sql("update ops.event_time_measurements set complete_through = now() - interval '49 hours'")
    assert incidents.told() == ["opened [warning] data of raw.orders"]
    del units


@attack(
    by="data",
    what="Names and errors of rules with line ends, markup, terminal escapes or 10,000 characters",
    answer="One line each in the messages of the incident; no other unit is affected",
)
def test_any_name_and_message_is_one_line_of_an_incident(
    units: Warehouse, incidents: Incidents, sql
):
    texts = [*NAUGHTY.values(), "x" * 10_000, "<!channel>\r\nBcc: e@x.example"]
    names = {each.replace("\0", "").encode(errors="replace").decode() for each in texts} - {""}
    for name in names:
        units.rule(name, name)
        units.reads("rule", name, "analytics.gone")
        units.node(name, kind="test")
    assert len(incidents.told()) == len(names) + 1
    for subject, body in sql("select content ->> 'subject', content ->> 'text' from ops.messages"):
        assert len(subject.splitlines()) == 1
        assert len(subject) <= MAX_LINE
        assert len(body.splitlines()) <= MAX_LINES
        assert not set(body) & set("\x1b\u202e")
    assert incidents.told() == []
