"""Promised days: which they are, changes of a promise, several hosts, odd ones, and the attainment."""

import json
import threading
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from analytics_worker.cli import app
from analytics_worker.database.connections import warehouse
from analytics_worker.database.reader_sessions import UserSqlError, reader_session
from analytics_worker.exporter.collectors.promises import ATTAINMENT
from analytics_worker.exporter.collectors.promises import Promises as Collector
from flows.monitoring.promises.update import update_promises
from tests.flows.monitoring.promises import DAY, MINUTE, ORDERS, Promises, at
from tests.support.attacks import attack

REPORT = "report daily"
OF_ORDERS = 'timezone: Europe/Berlin\npromise: {raw.orders: {by: "07:30"}}'


def test_days_of_the_week_and_holidays(promises: Promises):
    (promises.folder / "calendar.yml").write_text("holidays: [2026-11-25]")
    promises.trust(
        'promise:\n  raw.a: {by: "07:30", weekdays: working}\n  raw.b: {by: "07:30", weekdays: [tue-wed, fri]}'
    )
    promises.tick(at("02:00"))
    for day in range(24, 30):
        promises.tick(at("23:00", f"2026-11-{day}"))
    days = [(name, day[-2:]) for name, day, _ in promises.days()]
    assert days == [("raw.a", "24"), ("raw.a", "26"), ("raw.a", "27")] + [
        ("raw.b", day) for day in ("24", "25", "27")
    ]


def test_a_new_or_changed_promise_counts_from_then_on(promises: Promises):
    promises.trust(OF_ORDERS)
    assert promises.tick(at("08:00")) == []
    assert promises.days() == [], "today's time had passed"
    assert promises.tick(at("07:00", "2026-11-25")) == []
    promises.trust(OF_ORDERS.replace("07:30", "10:00"))
    assert promises.tick(at("07:01", "2026-11-25")) == []
    assert promises.tick(at("07:40", "2026-11-25")) == [], "it is promised by 10:00 now"
    assert promises.tick(at("10:10", "2026-11-25")) == ["opened [critical] promise of raw.orders"]
    promises.trust(OF_ORDERS.replace("07:30", "12:00"))
    assert promises.tick(at("10:11", "2026-11-25")) == [], "a decided day stays as it was"
    promises.trust("{}")
    assert promises.tick(at("10:12", "2026-11-25")) == ["resolved [resolved] promise of raw.orders"]


def test_a_promise_just_after_midnight(promises: Promises):
    promises.report(at=["23:50:00"], schedule="manual", promise={"by": "00:30:00"})
    promises.tick(at("23:40", "2026-11-23"))
    assert promises.days() == []
    promises.tick(at("23:51", "2026-11-23"))
    assert promises.days() == [(REPORT, "2026-11-24", None)]
    assert promises.tick(at("00:40")) == ["opened [critical] promise of report daily"]


def test_days_without_the_worker_are_judged_afterwards(promises: Promises):
    promises.trust(OF_ORDERS)
    promises.tick(at("06:00"))
    promises.complete(at("05:00", "2026-11-26"), at("05:01", "2026-11-26"))
    promises.tick(at("06:00", "2026-11-26"))
    days = [
        (ORDERS, "2026-11-24", False),
        (ORDERS, "2026-11-25", False),
        (ORDERS, "2026-11-26", True),
    ]
    assert promises.days() == days


def test_two_hosts_at_once(promises: Promises):
    promises.trust(OF_ORDERS)
    promises.tick(at("06:00"))
    errors = list[Exception]()
    start = threading.Barrier(4)

    def tick() -> None:
        start.wait()
        try:
            with warehouse() as connection:
                update_promises(connection, at("07:36"), dict)
        except Exception as error:  # noqa: BLE001  # shown below
            errors.append(error)

    threads = [threading.Thread(target=tick) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert promises.days() == [(ORDERS, "2026-11-24", None)]
    assert promises.tick(at("07:37")) == ["opened [critical] promise of raw.orders"]


@attack(
    by="author",
    what="A promise of a relation or report that is not valid, or has any name",
    answer="Named in the result of the run; all others are judged",
)
def test_one_odd_promise_stops_no_other(promises: Promises):
    odd = 'raw."Выручка {x} 100%"'
    promises.trust(f"promise:\n  raw.orders: {{by: '07:30'}}\n  '{odd}': {{by: '07:30'}}")
    promises.report()
    promises.report("bad", promise={"by": "soon"})
    promises.report("<b>{x}% ☃", at=["05:00:00"])
    promises.tick(at("06:00"))
    assert promises.problems == [
        "report bad: the stored definition is out of date, run `reports sync`"
    ]
    told = promises.tick(at("08:40"))
    names = ["raw.orders", odd, "report daily", "report <b>{x}% ☃"]
    assert sorted(told) == sorted(f"opened [critical] promise of {name}" for name in names)
    promises.trust("promise: {raw.orders: {by: '7'}}")
    assert promises.tick(at("08:41")) == [], "what can't be read stays as it was"
    assert "trust.yml:1" in promises.problems[0]
    assert promises.state()[0] == "broken"


def test_attainment_is_a_view_a_metric_and_a_command(promises: Promises):
    promises.trust(OF_ORDERS)
    month = datetime.now(UTC).date().replace(day=1)
    due = datetime.now(UTC) - DAY
    for number, minutes in enumerate((-5, 5, None)):
        values = (ORDERS, month + number * DAY, due, due, due, minutes and due + minutes * MINUTE)
        promises.sql("insert into ops.promise_days values (%s, %s, %s, %s, %s, %s)", values)
    promises.tick(datetime.now(UTC))
    with reader_session() as session:
        statement = "select promise, kept::text, promised::text, attainment::text from ops.promise_attainment"
        assert session.fetch(statement).rows == [(ORDERS, "1", "3", "0.3333")]
        with pytest.raises(UserSqlError, match="permission denied"):
            session.fetch("select * from ops.promises")
    assert list(Collector().collect()) == [(ATTAINMENT, {(ORDERS,): 0.3333})]
    result = CliRunner().invoke(app, ["promises", "--json"])
    (row,) = json.loads(result.stdout)
    assert row["promise"] == ORDERS
    assert row["months"][0] | {"month": None} == {
        "month": None,
        "kept": 1,
        "promised": 3,
        "attainment": 0.3333,
    }
    assert "1/3" in CliRunner().invoke(app, ["promises"]).stdout


def test_the_history_is_kept_for_400_days(promises: Promises):
    promises.trust(OF_ORDERS)
    for days in (399, 401):
        due = at("07:30") - timedelta(days=days)
        values = (ORDERS, due.date(), due, due, due, due)
        promises.sql("insert into ops.promise_days values (%s, %s, %s, %s, %s, %s)", values)
    promises.tick(at("06:00"))
    assert [day for _, day, _ in promises.days()] == ["2025-10-21", "2026-11-24"]


def test_no_look_is_taken_while_nothing_can_change(promises: Promises):
    def is_looked_at(now: str) -> bool:
        promises.sql("update ops.promises set state = 'waiting'")
        promises.tick(at(now))
        return promises.state()[0] == "kept"

    promises.trust(OF_ORDERS)
    promises.tick(at("05:00"))
    assert promises.state()[0] == "waiting"
    promises.complete(at("05:00"), at("05:01"))
    assert is_looked_at("05:01"), "its day was awaited"
    assert [is_looked_at(f"05:0{minute}") for minute in range(2, 7)] == [False] * 4 + [True]
    promises.trust(f"{OF_ORDERS}  # the same")
    assert is_looked_at("05:07"), "the file changed"
    promises.report("other", promise={"by": "23:00:00"})
    assert is_looked_at("05:08"), "a report changed"
    assert is_looked_at("05:07"), "the clock was set back"


def test_a_day_that_begins_is_looked_at_at_once(promises: Promises):
    promises.trust(OF_ORDERS)
    promises.complete(at("05:00"), at("05:01"))
    promises.tick(at("05:02"))
    assert promises.state()[0] == "kept"
    promises.tick(at("23:58"))
    promises.tick(at("00:00", "2026-11-25"))
    assert (ORDERS, "2026-11-25", None) in promises.days()
