"""What reports read is looked up for each report on its own."""

import json
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from analytics_worker.circuit_breaker import db_circuit_breaker
from analytics_worker.database import connections
from analytics_worker.database.reader_sessions import reader_session
from analytics_worker.lineage.unit_reads import Reads, plan_units
from flows.reports.scheduling.reads import record_reads
from tests.flows.reports.reports import report, store_reports
from tests.flows.reports.restated import set_variable
from tests.support.sql import execute, query

pytestmark = pytest.mark.usefixtures("environment")

SQL = "select n from analytics.orders"
AWAY = "postgresql://a:b@127.0.0.1:1/kpis"


@pytest.fixture(autouse=True)
def _orders(environment):
    del environment
    execute(
        "create table analytics.orders (n int); grant select on analytics.orders to analytics_reader"
    )


def test_a_reader_that_is_unavailable_leaves_the_others_alone(monkeypatch):
    """One call is enough for all, however many reports have that reader, and the breaker stays closed."""
    set_variable(monkeypatch, "READER_DATABASE_URLS", json.dumps({"away": AWAY}))
    store_reports(
        *(report(f"away {n}", SQL, reader="away") for n in range(8)),
        report("odd", SQL),
        *(report(f"fine {n}", SQL) for n in range(2)),
    )
    execute("update ops.report_definitions set definition = '{}' where name = 'odd'")
    assert record_reads() == 11
    known = (
        'select name from ops.unit_reads where relations = \'[["analytics", "orders"]]\' order by 1'
    )
    assert query(known) == ["fine 0", "fine 1"]
    assert query("select count(*) from ops.unit_reads where definition_hash is null") == [9]
    assert db_circuit_breaker.current_state == "closed"
    assert record_reads() == 0, "each is tried again after ten minutes"


def test_it_ends_if_the_warehouse_is_unavailable(monkeypatch):
    planned: list[str] = []

    def plan(row: Any) -> Reads:
        planned.append(row["name"])
        with reader_session() as session:
            return Reads(session.relations(SQL), [])

    set_variable(monkeypatch, "DATABASE_URL", AWAY)
    connections.dispose()
    rows: Any = [{"name": "a"}, {"name": "b"}]
    with pytest.raises(OperationalError):
        plan_units(rows, lambda _: None, plan)
    assert planned == ["a"]
