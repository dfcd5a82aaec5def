"""Rules of a period of which data is missing neither fire nor resolve until it is there."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flows.alerts.evaluation.runner import evaluate_due
from flows.alerts.rules.model import Rule
from flows.alerts.tools.backtest import backtest
from flows.alerts.tools.dry_run import dry_run
from flows.alerts.tools.states import shown_states
from tests.flows.alerts.rules import deliveries, last_content, rule, store, tick
from tests.support.sql import execute, query
from tests.support.trust_records import complete, incomplete, reads

pytestmark = pytest.mark.usefixtures("orders")

ORDERS = ("raw", "Orders {x} 100%")
OF_DAY = 'select count(*) as orders from raw."Orders {x} 100%" where at >= :period_start and at < :period_end'
NOON, MIDNIGHT = "2026-02-28 12:00+00", "2026-03-01 00:00+00"
"""Of the day before that of `tick`."""
DAY = datetime(2040, 7, 2, tzinfo=UTC)
"""After all clocks of the tests."""
WAITS = "(incomplete: data until 2026-02-28 12:00 UTC)"


@pytest.fixture
def orders(environment: str) -> None:  # noqa: ARG001  # its database
    execute('create table raw."Orders {x} 100%" (at timestamptz)')
    execute('grant select on raw."Orders {x} 100%" to analytics_reader')


def few(name: str = "r", sql: str = OF_DAY, **fields: Any) -> Rule:
    """Return a rule that fires with fewer than 100 orders in a day."""
    return rule(name, sql, **{"operator": "<", "threshold": 100, "period": "day", **fields})


def stored(*rules: Rule) -> None:
    store(*rules)
    for each in rules:
        reads("rule", each.name, ORDERS)


def insert_orders() -> None:
    execute(
        "insert into raw.\"Orders {x} 100%\" select timestamptz '2026-02-28 08:00+00' from generate_series(1, 200)"
    )


def states() -> dict[str, str]:
    return {row["rule"]: row["state"] for row in shown_states().rows}


def test_it_is_evaluated_when_the_data_is_there():
    stored(few())
    incomplete(*ORDERS, NOON)
    counts = tick(0)
    assert (counts.evaluated, counts.incomplete, counts.postponed) == (0, 1, 0)
    assert (states(), deliveries()) == ({"r": f"unknown {WAITS}"}, [])
    assert query("select count(*) from ops.alert_evaluations") == [0]
    complete(*ORDERS, MIDNIGHT)
    assert (tick(1).evaluated, states()) == (1, {"r": "firing"})
    assert deliveries() == [("firing", "webhook")]


def test_it_does_not_resolve_either():
    stored(few())
    complete(*ORDERS, MIDNIGHT)
    tick(0)
    insert_orders()
    incomplete(*ORDERS, NOON)
    tick(1)
    assert (states(), deliveries()) == ({"r": f"firing {WAITS}"}, [("firing", "webhook")])
    complete(*ORDERS, MIDNIGHT)
    tick(2)
    assert (states(), deliveries()[1:]) == ({"r": "ok"}, [("resolved", "webhook")])


def test_others_of_the_same_run_are_evaluated():
    rules = (
        few(),
        few("asked for", include_partial=True),
        few("now", sql="select 1 as n", period=None),
    )
    stored(*rules)
    incomplete(*ORDERS, NOON)
    counts = tick(0)
    assert (counts.evaluated, counts.incomplete) == (2, 1)
    assert states() == {"r": f"unknown {WAITS}", "asked for": "firing", "now": "firing"}


@pytest.mark.parametrize(("through", "rows"), [(NOON, 9), (MIDNIGHT, 60)], ids=["nine", "later"])
def test_without_evidence_it_is_evaluated(through: str, rows: int):
    stored(few())
    incomplete(*ORDERS, through, rows)
    assert tick(0).evaluated == 1


def test_a_view_lacks_what_its_source_has_not():
    stored(few())
    execute('update ops.unit_reads set relations = \'[["analytics", "daily"]]\'')
    incomplete(*ORDERS, NOON)
    complete("analytics", "daily", NOON, limited_by=".".join(ORDERS))
    assert tick(0).incomplete == 1


def test_one_with_a_time_of_its_own_stays_due():
    def run_at(hours: float) -> int:
        return evaluate_due(["alert"], now=DAY + timedelta(hours=hours)).evaluated

    stored(few(at="09:00"))
    execute("update ops.alert_rules set evaluated_slot = :day", day=DAY)
    incomplete(*ORDERS, "2040-07-01 12:00+00")
    assert [run_at(9), run_at(11)] == [0, 0]
    complete(*ORDERS, "2040-07-02 00:00+00")
    assert [run_at(11.1), run_at(11.2)] == [1, 0]
    assert query("select slot from ops.alert_evaluations") == [DAY + timedelta(hours=9)]
    assert last_content()["json"]["missed_at"] == "2040-07-02T09:00:00+00:00"


def test_what_can_not_be_read_stops_no_rule():
    stored(few())
    incomplete(*ORDERS, NOON)
    execute("alter table ops.event_time_measurements rename column missing to other")
    counts = tick(0)
    execute("alter table ops.event_time_measurements rename column other to missing")
    assert (counts.evaluated, counts.errors, counts.incomplete) == (1, 0, 0)


def test_its_days_are_those_of_its_time_zone():
    """In Kiritimati, it is 2 March at 02:00: yesterday was the first."""
    sql = "select extract(day from cast(:period_start as date)) as value where :period_end > '2026'"
    store(rule(sql=sql, period="day", timezone="Pacific/Kiritimati", threshold=0))
    tick(0)
    assert query("select reading from ops.alert_evaluations") == [1]


def test_the_commands_know_the_period():
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
    stored(few())
    incomplete(*ORDERS, f"{noon}")
    expected = f"incomplete: data until {noon:%Y-%m-%d %H:%M} UTC: the rule is not evaluated before it is there"
    assert expected in dry_run(few()).text
    assert expected not in dry_run(few(include_partial=True)).text
    replay = backtest(few(at="09:00"), datetime.now(UTC) - timedelta(days=3))
    assert (replay.evaluations, replay.source) == (
        3,
        "each as of its time (the rule has period: day)",
    )


def test_a_period_that_has_just_ended_waits_until_it_is_measured():
    def run_at(minutes: float) -> int:
        return evaluate_due(["alert"], now=DAY + timedelta(minutes=minutes)).evaluated

    stored(few())
    incomplete(*ORDERS, "2040-07-01 02:00+00")
    execute("update ops.event_time_measurements set measured_at = '2040-07-01 23:59+00'")
    assert [run_at(-2), run_at(2), run_at(14)] == [1, 0, 0]
    assert run_at(16) == 1
